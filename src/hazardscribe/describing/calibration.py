"""What was fitted on dev for describing, and the files in which a model folder keeps it.

`calibration.json` holds re-ranking, confidence and thresholds with the dev outcomes they rest on;
`training_photos.safetensors` the features that tell whether a photo is unlike the training photos.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hazardscribe.describing.confidence import Confidence
from hazardscribe.describing.doubt import Doubt
from hazardscribe.describing.novelty import Novelty
from hazardscribe.describing.rerank import Reranking
from hazardscribe.errors import InputError
from hazardscribe.files import write_json, write_whole
from hazardscribe.model.weights_index import write_index

CALIBRATION_FILE = "calibration.json"
PHOTOS_FILE = "training_photos.safetensors"


@dataclass(frozen=True, slots=True)
class Search:
    """How the texts were found on which confidence and doubt were fitted.

    Attributes:
        beams: breadth; 1 is greedy. reranked: whether the candidates were re-ranked.
        precision: in which products were computed, `float32` or `bfloat16`.
    """

    beams: int
    reranked: bool
    precision: str

    def __str__(self) -> str:
        if self.reranked:
            return f"re-ranking of {self.beams} candidates"
        return "greedy search" if self.beams == 1 else f"beam search ({self.beams} beams)"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything describing takes from dev.

    Attributes:
        reranking: None where it gained nothing, or where there is no alignment.
        confidence, doubt: see their modules.
        novelty: distances from training photos.
        dev_confidences, dev_right: `(N,)` cross-validated confidences on dev, and whether those
            descriptions were acceptable.
        dev_no_hazard: `(N,)` mass of texts without hazard on dev; None without an alignment.
        dev_hazard: `(N,)` whether those photos show a hazard; None in a calibration of an earlier
            version, which did not keep it.
        search: that found those descriptions; None in a calibration of an earlier version.
        rules: SHA-256 of the rule file by which a description counted as acceptable; None in a
            calibration of an earlier version.
    """

    reranking: Reranking | None
    confidence: Confidence
    doubt: Doubt
    novelty: Novelty
    dev_confidences: np.ndarray
    dev_right: np.ndarray
    dev_no_hazard: np.ndarray | None = None
    dev_hazard: np.ndarray | None = None
    search: Search | None = None
    rules: str | None = None

    def doubt_at(self, risk: float) -> Doubt:
        """The thresholds for another risk than the one calibrated for."""
        return self.doubt.at_risk(
            risk, self.dev_confidences, self.dev_right, self.dev_no_hazard, self.dev_hazard
        )

    def summary(self) -> dict[str, Any]:
        """The main figures, for a run record and the command line."""
        answered = self.dev_confidences >= self.doubt.least_confidence
        wrong = 1 - self.dev_right
        return {
            "reranking": asdict(self.reranking) if self.reranking else None,
            "dev_photos": len(self.dev_right),
            "risk_aimed_at": self.doubt.risk,
            "risk_reached": self.doubt.reached,
            "risk_of_all": round(float(wrong.mean()), 4),
            "coverage": round(float(answered.mean()), 4),
            "risk_answered": round(float(wrong[answered].mean()), 4) if answered.any() else None,
        }


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write both files into a model folder, each whole or not at all."""
    values = {
        "reranking": asdict(calibration.reranking) if calibration.reranking else None,
        "confidence": asdict(calibration.confidence),
        "doubt": asdict(calibration.doubt),
        "search": asdict(calibration.search) if calibration.search else None,
        "rules": calibration.rules,
        "dev": {
            "confidences": _rounded(calibration.dev_confidences),
            "acceptable": [int(right) for right in calibration.dev_right],
            "no_hazard": _rounded(calibration.dev_no_hazard),
            "hazard": None
            if calibration.dev_hazard is None
            else [int(shown) for shown in calibration.dev_hazard],
        },
    }
    features = {"features": calibration.novelty.references.astype(np.float16)}
    write_index(folder)  # a model from elsewhere has no safetensors yet but its weights
    write_whole(folder / PHOTOS_FILE, lambda draft: save_file(features, draft))
    write_json(folder / CALIBRATION_FILE, values)


def _rounded(shares: np.ndarray | None) -> list[float] | None:
    return None if shares is None else [round(float(share), 6) for share in shares]


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration of a model folder; None where it has none.

    Raises:
        InputError: if a file is damaged.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        features = load_file(folder / PHOTOS_FILE)["features"]
        fitted, reranking = values["confidence"], values["reranking"]
        search = values.get("search")
        dev = values["dev"]
        no_hazard, hazard = dev.get("no_hazard"), dev.get("hazard")
        sequences = ("signs", "means", "scales", "weights")
        return Calibration(
            Reranking(**reranking) if reranking else None,
            Confidence(**{**fitted, **{name: tuple(fitted[name]) for name in sequences}}),
            Doubt(**values["doubt"]),
            Novelty(features),
            np.array(dev["confidences"], dtype=np.float64),
            np.array(dev["acceptable"], dtype=np.int64),
            None if no_hazard is None else np.array(no_hazard, dtype=np.float64),
            None if hazard is None else np.array(hazard, dtype=np.int64),
            Search(**search) if search else None,
            values.get("rules"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(
            f"{path}: cannot be used ({error}). Run `hazardscribe calibrate` on the model, or "
            f"delete {CALIBRATION_FILE} to describe without a calibrated confidence."
        ) from error
