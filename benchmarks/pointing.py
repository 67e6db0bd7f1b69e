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
    found = [
        (place, peak)
        for row, text in zip(rows, texts, strict=True)
        if (place := place_of(row)) and (peak := pointed(describer, row["photo"], text))
    ]
    places = [place for place, _ in found]
    peaks = [peak for _, peak in found]
    hits = np.array([place == peak for place, peak in found], dtype=float)
    usual = Counter(places).most_common(1)[0][0]
    # Exchanging maps at random hits as often as the two shares of each third agree.
    exchanged = sum(Counter(places)[t] * Counter(peaks)[t] for t in THIRDS) / len(found) ** 2
    low, high = interval(resampled_sums(hits[:, None], 2000, 0)[:, 0] / len(hits)) or (None, None)
    result = {
        "split": args.split,
        "photos": len(found),
        "hits": {"value": float(hits.mean()), "low": low, "high": high},
        "most_frequent_place": sum(place == usual for place in places) / len(places),
        "maps_exchanged": exchanged,
        "places": Counter(places),
        "peaks": Counter(peaks),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def place_of(row: dict[str, Any]) -> str | None:
    """The one third in which somebody lacks something, where the facts name just one."""
    lacking = json.loads(row["facts"] or "{}").get("lacking") or []
    places = {person.get("where") for person in lacking}
    [place] = places if len(places) == 1 else [None]
    return place if place in THIRDS else None


def pointed(describer: Any, photo: str, text: str) -> str | None:
    """The third in which the evidence for the hazard's phrase is strongest."""
    from hazardscribe.describing.evidence import evidence, phrases_of
    from hazardscribe.evaluation import Rules

    rules = Rules.load(describer.card.language)
    spans = [(start, end) for start, end in phrases_of(text) if rules.hazard(text[start:end])]
    pixels = describer.pixels(photo)
    maps = evidence(describer.vlm, describer.prompter, pixels, text, spans[:1])
    if not maps:
        return None
    _, across = maps[0].peak(*pixels.shape[:2])
    return THIRDS[min(2, int(3 * across))]


if __name__ == "__main__":
    main()
