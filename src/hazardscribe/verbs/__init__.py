"""The verbs: what the command line and Python callers do with hazardscribe.

Signatures live here, without torch or transformers, so that help and argument errors come at once;
each verb imports what it needs when it runs. Results of heavy types are annotated `Any`, because
the command line's parser resolves every annotation, return types too.
"""

from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.verbs.ledgers import check, export, merge
from hazardscribe.verbs.models import calibrate, evaluate_model, init, train
from hazardscribe.verbs.photos import describe, similar
from hazardscribe.verbs.serving import serve

__all__ = [
    "calibrate",
    "check",
    "describe",
    "evaluate_model",
    "export",
    "import_ledger",
    "init",
    "merge",
    "serve",
    "similar",
    "train",
]
