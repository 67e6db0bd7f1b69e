"""Do heat maps of evidence point at the person who lacks something? The pointing game on site-ppe.

    python benchmarks/pointing.py --model runs/mine/model --data DIR

For validation photos whose facts name one place (left, middle or right) where equipment is lacking:
the peak of the map of the phrase that states the hazard, in the *written* description, is a hit
when it lies in that third of the photo (the pointing game of Zhang et al., "Top-down neural
attention by excitation backprop", ECCV 2016, on thirds instead of boxes). Beside it: a peak at the
most frequent place for every photo, and maps exchanged between photos, which keep what the maps
prefer whatever the photo. Figures go to benchmarks/results/pointing.json.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results" / "pointing.json"
THIRDS = ("left", "middle", "right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="validation")
    args = parser.parse_args()

    from hazardscribe.describing.describer import Describer
    from hazardscribe.evaluation.bootstrap import interval, resampled_sums
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.targets import target_texts

    describer = Describer(args.model)
    rows = list(read_pairs(args.data)[args.split])
    texts = target_texts(rows, describer.card.target)
    places: list[str] = []
    peaks: dict[str, list[str]] = {"evidence": [], "gradient_times_input": []}
    for row, text in zip(rows, texts, strict=True):
        place = place_of(row)
        pointed = peaks_of(describer, row["photo"], text) if place else None
        if place and pointed:
            places.append(place)
            for name, peak in pointed.items():
                peaks[name].append(peak)
    usual = Counter(places).most_common(1)[0][0]
    result: dict[str, Any] = {
        "split": args.split,
        "photos": len(places),
        "places": Counter(places),
        "most_frequent_place": sum(place == usual for place in places) / len(places),
    }
    for name, of_maps in peaks.items():
        hits = np.array([a == b for a, b in zip(places, of_maps, strict=True)], dtype=float)
        bounds = interval(resampled_sums(hits[:, None], 2000, 0)[:, 0] / len(hits))
        # Exchanging maps at random hits as often as the two shares of each third agree.
        same = sum(Counter(places)[third] * Counter(of_maps)[third] for third in THIRDS)
        result[name] = {
            "hits": {"value": float(hits.mean()), "low": bounds[0], "high": bounds[1]},
            "maps_exchanged": same / len(places) ** 2,
            "peaks": Counter(of_maps),
        }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def place_of(row: dict[str, Any]) -> str | None:
    """The one third in which somebody lacks something, where the facts name just one."""
    lacking = json.loads(row["facts"] or "{}").get("lacking") or []
    places = {person.get("where") for person in lacking}
    [place] = places if len(places) == 1 else [None]
    return place if place in THIRDS else None


def peaks_of(describer: Any, photo: str, text: str) -> dict[str, str] | None:
    """The thirds in which the evidence for the hazard's phrase is strongest."""
    from hazardscribe.describing.evidence import evidence, phrase_gradients, phrases_of
    from hazardscribe.evaluation import Rules

    rules = Rules.load(describer.card.language)
    spans = [(start, end) for start, end in phrases_of(text) if rules.hazard(text[start:end])][:1]
    pixels = describer.pixels(photo)
    given = (describer.vlm, describer.prompter, pixels, text, spans)
    maps = evidence(*given)
    if not maps:
        return None
    tokens, [gradient] = phrase_gradients(*given)
    products = (gradient * tokens).sum(-1).reshape(maps[0].shares.shape).double().cpu().numpy()
    both = {"evidence": maps[0], "gradient_times_input": replace(maps[0], shares=products)}
    return {
        name: THIRDS[min(2, int(3 * one.peak(*pixels.shape[:2])[1]))] for name, one in both.items()
    }


if __name__ == "__main__":
    main()
