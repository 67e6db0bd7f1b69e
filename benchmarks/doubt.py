"""What re-ranking, calibrated confidence and doubt are worth, on photos that nothing was chosen by.

    python benchmarks/doubt.py --model RUN/model --data PAIRS --name scenes [--foreign FOLDER]

Fits on dev (a copy of the model folder is calibrated, the folder itself stays as it is), then
measures on `validation`:

* re-ranking against greedy search: differences of scores with paired bootstrap intervals over
  photos, and of the share of acceptable drafts;
* the calibrated confidence against the language model's own (the geometric mean probability of its
  tokens) and that against a regression on it alone: Brier score, calibration error, area under risk
  and coverage;
* risk and coverage at the threshold that dev chose, with and without doubt;
* of the photos in --foreign, which show nothing of the kind, the share that is answered with a
  hazard, with and without doubt; and how well three kinds of features tell them from validation
  photos (area under the ROC curve of the distance to the tenth nearest training photo).

The photos that ship with scikit-image and scikit-learn (a cat, coffee, a rocket ...) are foreign
enough: --foreign takes a folder with any. Writes benchmarks/results/doubt-NAME.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SCORES = ("hazard_f1", "balanced_accuracy", "element_f1", "cider_d", "bleu_4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--foreign", type=Path)
    parser.add_argument("--best_by", default="cider_d")
    parser.add_argument("--risk", type=float, default=0.1)
    args = parser.parse_args()

    from hazardscribe import calibrate, read_pairs

    pairs = read_pairs(args.data)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        shutil.copytree(args.model, run / "model")
        if (args.model.parent / "run.json").is_file():
            shutil.copyfile(args.model.parent / "run.json", run / "run.json")
        fitted = calibrate(run / "model", pairs, risk=args.risk, best_by=args.best_by)
        result: dict[str, Any] = {"photos": len(set(pairs["validation"]["photo"]))}
        result["fitted_on_dev"] = fitted.summary() | {"confidence": asdict(fitted.confidence)}
        result |= on_validation(run / "model", pairs)
        if args.foreign is not None:
            result["foreign"] = on_foreign(run / "model", pairs, args.foreign)
    path = ROOT / "benchmarks" / "results" / f"doubt-{args.name}.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=1))


def on_validation(model: Path, pairs: Any) -> dict[str, Any]:
    """Scores on validation: greedy and re-ranked drafts, confidences, doubt."""
    from hazardscribe import Describer, evaluate
    from hazardscribe.describing.confidence import fit_confidence
    from hazardscribe.evaluation import Case, Rules
    from hazardscribe.evaluation.acceptable import acceptable
    from hazardscribe.evaluation.paired import paired_differences
    from hazardscribe.evaluation.photo_scores import Truth

    describer = Describer(model)
    language = describer.card.language
    rows = list(pairs["validation"])
    plain = evaluate(Describer(model, rerank=False), rows)
    reranked = evaluate(describer, rows)
    raw = evaluate(Describer(model, calibrated=False), rows)
    rules = Rules.load(language)
    cases = [
        Case(c.photo, list(c.references), c.prediction, c.hazard, facts_of_row(rows, c.photo))
        for c in reranked.cases
    ]
    truth = Truth.of(cases, rules, language)
    differences = paired_differences(
        truth,
        ours=[[c.prediction for c in reranked.cases]],
        theirs=[[c.prediction for c in plain.cases]],
    )
    found: dict[str, Any] = {
        "greedy": {name: asdict(plain.metrics[name]) for name in SCORES},
        "reranked": {name: asdict(reranked.metrics[name]) for name in SCORES},
        "reranked_minus_greedy": {name: asdict(differences[name]) for name in SCORES},
        "not_acceptable": {
            "greedy": asdict(plain.trust.risk_of_all),
            "reranked": asdict(reranked.trust.risk_of_all),
        },
    }
    # The language model's own probability of the same greedy drafts, as it is and calibrated alone.
    wording = dev_wording(model, pairs)
    alone, _ = fit_confidence([{"wording": w} for w in wording[0]], wording[1])
    own = np.array([case.confidence for case in raw.cases])
    right = acceptable(
        [
            Case(c.photo, list(c.references), c.prediction, c.hazard, facts_of_row(rows, c.photo))
            for c in raw.cases
        ],
        rules,
    )
    found["confidence"] = {
        "calibrated, both likelihoods (greedy drafts)": figures(
            np.array([c.confidence for c in plain.cases]), right
        ),
        "calibrated, language model alone (greedy drafts)": figures(
            np.array([alone({"wording": float(np.log(p))}) for p in own]), right
        ),
        "language model's probability as it is (greedy drafts)": figures(own, right),
        "calibrated, both likelihoods (re-ranked drafts)": {
            name: asdict(getattr(reranked.trust, name))
            for name in ("brier_score", "calibration_error", "area_under_risk")
        },
    }
    trust = reranked.trust
    found["doubt"] = {
        "coverage": asdict(trust.coverage),
        "risk": asdict(trust.risk),
        "risk_if_all_were_answered": asdict(trust.risk_of_all),
        "reasons": dict(trust.reasons),
        "scores_with_doubt": {name: asdict(trust.metrics[name]) for name in SCORES},
        "bins": [asdict(one) for one in trust.bins],
    }
    return found


def facts_of_row(rows: list[dict[str, Any]], photo: str) -> dict[str, Any] | None:
    from hazardscribe.evaluation.rows import facts_of

    return next(facts_of(row) for row in rows if str(row["photo"]) == photo)


def dev_wording(model: Path, pairs: Any) -> tuple[list[float], np.ndarray]:
    """Mean log probability of each greedy draft on dev, and whether it is acceptable."""
    from hazardscribe import Describer
    from hazardscribe.evaluation import Rules
    from hazardscribe.evaluation.acceptable import acceptable
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.pairs.targets import target_texts

    describer = Describer(model, calibrated=False)
    rows = list(pairs["dev"])
    photos = list(dict.fromkeys(str(row["photo"]) for row in rows))
    said = dict(zip(photos, describer.stream(photos), strict=True))
    texts = {photo: one.text for photo, one in said.items()}
    cases = cases_from_rows(rows, target_texts(rows, describer.card.target), texts)
    right = acceptable(cases, Rules.load(describer.card.language)).astype(int)
    return [float(np.log(said[case.photo].confidence)) for case in cases], right


def figures(confidences: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    from hazardscribe.evaluation.selective import (
        area_under_risk,
        brier_score,
        expected_calibration_error,
        with_interval,
    )

    named = {
        "brier_score": brier_score,
        "calibration_error": expected_calibration_error,
        "area_under_risk": area_under_risk,
    }
    resamples = {"calibration_error": 0}  # a bootstrap of it lies too high
    return {
        name: asdict(with_interval(score, confidences, right, resamples.get(name, 1000), 0))
        for name, score in named.items()
    }


def on_foreign(model: Path, pairs: Any, folder: Path) -> dict[str, Any]:
    """How many foreign photos are answered with a hazard, and what tells them from our own."""
    from sklearn.metrics import roc_auc_score

    from hazardscribe import Describer
    from hazardscribe.describing.aligner import Aligner
    from hazardscribe.describing.novelty import Novelty
    from hazardscribe.describing.sources import find_photos
    from hazardscribe.evaluation import Rules

    describer = Describer(model)
    rules = Rules.load(describer.card.language)
    photos = find_photos([folder])
    said = describer(photos)
    aligner = Aligner.load(model)
    kinds = {
        split: features(describer, aligner, names)
        for split, names in (
            ("train", list(dict.fromkeys(pairs["train"]["photo"]))),
            ("validation", list(dict.fromkeys(pairs["validation"]["photo"]))),
            ("foreign", photos),
        )
    }
    separation = {}
    for kind in kinds["train"]:
        novelty = Novelty(kinds["train"][kind])
        ours, theirs = (novelty.distances(kinds[s][kind]) for s in ("validation", "foreign"))
        truth = np.r_[np.zeros(len(ours)), np.ones(len(theirs))]
        separation[kind] = round(float(roc_auc_score(truth, np.r_[ours, theirs])), 4)
    return {
        "photos": len(photos),
        "hazard_stated_without_doubt": sum(rules.hazard(one.draft) for one in said),
        "hazard_stated_with_doubt": sum(rules.hazard(one.text) for one in said),
        "cannot_judge": sum(rules.cannot_judge(one.text) for one in said),
        "roc_auc_of_distance": separation,
        "answers": {
            Path(photo).name: {"draft": one.draft, "answer": one.text, "doubt": one.doubt}
            for photo, one in zip(photos, said, strict=True)
        },
    }


def features(describer: Any, aligner: Any, photos: list[str]) -> dict[str, np.ndarray]:
    """Tower, projected and aligned features of photos, each `(N, F)`."""
    import torch

    from hazardscribe.model.sequences import first_sequence

    found: dict[str, list[np.ndarray]] = {"tower": [], "first_sequence": [], "aligned": []}
    for i in range(0, len(photos), 16):
        inputs = describer.prompter.inputs([describer.pixels(p) for p in photos[i : i + 16]])
        with torch.inference_mode():
            vlm = describer.vlm
            sequence = first_sequence(vlm, inputs)
            mean = sequence.values.sum(1) / sequence.mask.sum(1, keepdim=True)
            found["tower"].append(sequence.tower_vectors().float().numpy())
            found["first_sequence"].append(mean.float().numpy())
            if aligner is not None:
                found["aligned"].append(aligner.photos(sequence).numpy())
    return {kind: np.concatenate(parts) for kind, parts in found.items() if parts}


if __name__ == "__main__":
    main()
