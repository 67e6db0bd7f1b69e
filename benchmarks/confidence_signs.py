"""Which signs tell an acceptable description from another? Each set of them on the same drafts.

    python benchmarks/confidence_signs.py --model RUN/model --data PAIRS --name site-ppe-zh

Describes dev and validation once, as the model's calibration has it, and fits the confidence on dev
with several sets of signs: those that describing uses (`describing.confidence`), fewer, and two
that it does not use:

* `candidates`: log-odds of the share, by the language model's own probabilities, of the four
  candidates of beam search that state the same as the draft, as in "semantic entropy" (Kuhn et al.,
  ICLR 2023);
* `hazard`: whether the draft states a hazard at all.

For each set: Brier score and area under risk and coverage, on dev by cross-validation and on
validation, with the difference from the set in use (paired bootstrap over photos, 95 %), and what
share of validation is answered at the threshold that dev chooses for 10 %. Writes
benchmarks/results/confidence_signs-<name>.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BEAMS = 4
RESAMPLES = 2000
IN_USE = ("wording", "support", "agreement", "distance")
SETS = {
    "wording": ("wording",),
    "wording, encoder": ("wording", "support", "agreement"),
    "wording, distance": ("wording", "distance"),
    "wording, encoder, distance": IN_USE,
    "and candidates": (*IN_USE, "candidates"),
    "and hazard": (*IN_USE, "hazard"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", required=True)
    args = parser.parse_args()

    from hazardscribe import read_pairs

    pairs = read_pairs(args.data)
    splits = {split: of_split(args.model, pairs, split) for split in ("dev", "validation")}
    result = {
        split: {"photos": len(right), "not_acceptable": round(1 - float(right.mean()), 4)}
        for split, (_, right) in splits.items()
    }
    result["sets"] = compared(*splits["dev"], *splits["validation"])
    out = ROOT / "benchmarks" / "results" / f"confidence_signs-{args.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def of_split(model: Path, pairs: Any, split: str) -> tuple[list[dict[str, float]], np.ndarray]:
    """The signs of each photo's draft, and whether it is acceptable."""
    from hazardscribe import Describer
    from hazardscribe.describing.aligner import Aligner
    from hazardscribe.describing.confidence import log_odds
    from hazardscribe.describing.judge import rerank_order, signs
    from hazardscribe.describing.look import Look
    from hazardscribe.describing.statements import Statements
    from hazardscribe.evaluation.acceptable import acceptable
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.evaluation.rules import rules_of
    from hazardscribe.pairs.targets import target_texts

    describer = Describer(model)
    aligner = Aligner.load(model, describer.device)
    assert describer.calibration is not None
    calibration = describer.calibration
    rules = rules_of(model, describer.card.language)
    statements = Statements(aligner.bank.texts, rules)
    rows = list(pairs[split])
    photos = list(dict.fromkeys(str(row["photo"]) for row in rows))
    found = Look(describer, aligner, describer.pixels, True).describe(photos, None, BEAMS)
    towers = np.stack([reading.tower for reading in found.readings])
    distances = calibration.novelty.distances(towers).tolist()
    table, drafts = [], {}
    for i, (photo, reading) in enumerate(zip(found.photos, found.readings, strict=True)):
        several = found.several[i]
        own = found.greedy[i] if calibration.reranking is None else several
        draft = own[rerank_order(own, reading, aligner, calibration.reranking)[0]]
        chances = np.exp([one.log_likelihood for one in several])
        alike = [states(rules, one.text) == states(rules, draft.text) for one in several]
        more = {
            "candidates": log_odds(float(chances @ alike / chances.sum())),
            "hazard": float(rules.hazard(draft.text)),
        }
        table.append(signs(draft, reading, statements, distances[i]) | more)
        drafts[photo] = draft.text
    cases = cases_from_rows(rows, target_texts(rows, describer.card.target), drafts)
    return table, acceptable(cases, rules).astype(np.int64)


def states(rules: Any, text: str) -> tuple[bool, frozenset[str]]:
    return rules.hazard(text), frozenset(rules.elements(text))


def compared(
    dev: list[dict[str, float]],
    dev_right: np.ndarray,
    validation: list[dict[str, float]],
    right: np.ndarray,
) -> dict[str, Any]:
    """The figures of each set of signs."""
    from hazardscribe.describing import confidence
    from hazardscribe.describing.doubt import least_confidence
    from hazardscribe.evaluation.selective import area_under_risk, brier_score

    confidence.SIGNS = (*IN_USE, "candidates", "hazard")
    predicted = {}
    for name, chosen in SETS.items():
        fitted, crossed = confidence.fit_confidence(
            [{sign: row[sign] for sign in chosen} for row in dev], dev_right
        )
        predicted[name] = crossed, np.array([fitted(row) for row in validation])
    found = {}
    for name, (crossed, said) in predicted.items():
        least, _ = least_confidence(crossed, dev_right, 0.1)
        answered = said >= least
        found[name] = {
            "answered": round(float(answered.mean()), 4),
            "risk": round(float(1 - right[answered].mean()), 4) if answered.any() else None,
        }
        reference = predicted["wording, encoder, distance"]
        for score in (brier_score, area_under_risk):
            found[name][score.__name__] = {
                "dev": round(score(crossed, dev_right), 4),
                "dev_difference": difference(score, crossed, reference[0], dev_right),
                "validation": round(score(said, right), 4),
                "validation_difference": difference(score, said, reference[1], right),
            }
    return found


def difference(
    score: Callable[[np.ndarray, np.ndarray], float],
    ours: np.ndarray,
    theirs: np.ndarray,
    right: np.ndarray,
) -> list[float]:
    """Value, low and high of `score(ours) - score(theirs)`."""
    draws = np.random.default_rng(0).integers(len(right), size=(RESAMPLES, len(right)))
    spread = [score(ours[d], right[d]) - score(theirs[d], right[d]) for d in draws]
    value = score(ours, right) - score(theirs, right)
    return [round(float(one), 4) for one in (value, *np.quantile(spread, (0.025, 0.975)))]


if __name__ == "__main__":
    main()
