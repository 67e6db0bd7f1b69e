"""hazardscribe: learns from a company's own hazard photos to describe new ones.

import hazardscribe as hs

pairs = hs.read_pairs("pairs/")
run = hs.train(pairs, hs.Recipe(start="my/vlm"))
describer = hs.Describer(run.model)
describer("photo.jpg").text
hs.evaluate(describer, pairs["validation"], pairs["train"]).metrics["hazard_f1"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hazardscribe.describing.describer import Describer, Description
    from hazardscribe.describing.evaluate import evaluate
    from hazardscribe.errors import InputError, PhotoError
    from hazardscribe.pairs.read import Pairs, read_pairs
    from hazardscribe.serving.settings import ServeSettings
    from hazardscribe.training.recipe import Recipe
    from hazardscribe.verbs import (
        calibrate,
        check,
        describe,
        export,
        import_ledger,
        init,
        merge,
        serve,
        similar,
        train,
    )

__version__ = "0.1.0"

# Where each public name lives; loaded when it is first used, so that importing the package is
# quick and the command line's help needs no torch.
_HOMES = {
    "Describer": "hazardscribe.describing.describer",
    "Description": "hazardscribe.describing.describer",
    "InputError": "hazardscribe.errors",
    "Pairs": "hazardscribe.pairs.read",
    "PhotoError": "hazardscribe.errors",
    "Recipe": "hazardscribe.training.recipe",
    "ServeSettings": "hazardscribe.serving.settings",
    "calibrate": "hazardscribe.verbs",
    "check": "hazardscribe.verbs",
    "describe": "hazardscribe.verbs",
    "evaluate": "hazardscribe.describing.evaluate",
    "export": "hazardscribe.verbs",
    "import_ledger": "hazardscribe.verbs",
    "init": "hazardscribe.verbs",
    "merge": "hazardscribe.verbs",
    "read_pairs": "hazardscribe.pairs.read",
    "serve": "hazardscribe.verbs",
    "similar": "hazardscribe.verbs",
    "train": "hazardscribe.verbs",
}

__all__ = [
    "Describer",
    "Description",
    "InputError",
    "Pairs",
    "PhotoError",
    "Recipe",
    "ServeSettings",
    "__version__",
    "calibrate",
    "check",
    "describe",
    "evaluate",
    "export",
    "import_ledger",
    "init",
    "merge",
    "read_pairs",
    "serve",
    "similar",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hazardscribe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
