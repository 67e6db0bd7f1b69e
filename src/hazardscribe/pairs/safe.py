"""Photos of repaired places as examples of "no hazard".

A ledger's photos after rectification lie in `safe.parquet`, apart from the pairs: the hazard's text
would be wrong beside them. Where a user asks for it, a share of them joins the pairs with a text
that says that nothing is wrong. They can teach a model to stay silent, and they can mislead one:
a photo after repair shows one mended thing, and nobody has said that all else in it is in order.
"""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.folder import SAFE, read_safe
from hazardscribe.pairs.records import Pairs

if TYPE_CHECKING:
    import pandas as pd


def with_safe(pairs: Pairs, share: float, text: str, *, target: str = "{description}") -> Pairs:
    """The pairs with a share of the safe photos of each split they have.

    Args:
        pairs: as read from a folder that `import` wrote.
        share: of each split's safe photos, 0 to 1; which ones depends on their names alone.
        text: their description.
        target: template of the text to learn; a template of one column gets the text there.

    Returns:
        The same pairs where the share is 0; else new ones, with `hazard` "0" in the added rows.

    Raises:
        InputError: the share is out of range, or the folder holds no safe photos.
    """
    if not 0 <= share <= 1:
        raise InputError(f"safe_share is {share}; it must be a share of the safe photos, 0 to 1.")
    if share == 0:
        return pairs
    safe = read_safe(pairs.folder)
    if safe.empty:
        raise InputError(
            f"safe_share is {share}, but {pairs.folder} holds no safe photos ({SAFE}). Import a "
            "ledger that has a column of photos after rectification, or leave safe_share out."
        )
    import pandas as pd

    chosen = pd.concat([_share(part, share) for _, part in safe.groupby("split", sort=True)])
    named = [name for _, name, _, _ in string.Formatter().parse(target) if name]
    texts = {"description", named[0]} if len(named) == 1 else {"description"}
    added = chosen.assign(**dict.fromkeys(texts, text), hazard="0")
    frame = pairs.frame if "hazard" in pairs.frame else pairs.frame.assign(hazard="")
    # Other columns say nothing of the repaired place; as in the pairs, that is an empty text.
    added = added.reindex(columns=frame.columns, fill_value="").fillna("")
    return Pairs(
        pd.concat([frame, added], ignore_index=True),
        folder=pairs.folder,
        rejected=pairs.rejected,
        columns=pairs.columns,
        rows_read=pairs.rows_read,
        rows_imported=pairs.rows_imported,
    )


def has_safe(pairs: Pairs) -> bool:
    """Whether photos after rectification lie beside the pairs."""
    return pairs.folder.is_dir() and not read_safe(pairs.folder).empty


def _share(part: pd.DataFrame, share: float) -> pd.DataFrame:
    """A share of the photos, spread by their digests' digests: by chance, the same every time."""
    keys = [hashlib.sha256(Path(photo).name.encode()).hexdigest() for photo in part["photo"]]
    order = sorted(range(len(part)), key=keys.__getitem__)
    return part.iloc[sorted(order[: round(share * len(part))])]
