"""What reading left out, told so that it cannot be overlooked."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.pairs.records import Pairs, Rejected

log = logging.getLogger(__name__)

_SHOWN = 3
_PHOTO_REASONS = ("photo_missing", "photo_unreadable", "photo_url")


def tell_left_out(pairs: Pairs) -> None:
    """Log the left-out rows: how many for which reason, and the first of them.

    A warning stands on top where more than half of the rows are lost: that is seldom the rows'
    fault, and mostly a wrong photo folder or column.
    """
    if not pairs.rejected:
        return
    lost, read = pairs.rows_rejected, pairs.rows_read
    if 2 * lost > read:
        log.warning(
            "MORE THAN HALF OF THE ROWS ARE LOST: %d of %d give no pair. Check the photo folder "
            "and the columns before you go on.",
            lost,
            read,
        )
    log.info("left out: %s", counts_by_reason(pairs.rejected))
    for one in pairs.rejected[:_SHOWN]:
        log.info("left out: %s", in_words(one))
    more = len(pairs.rejected) - _SHOWN
    if more > 0:
        log.info("left out: and %d more", more)


def tell_unreadable(where: str, failed: Sequence[Exception | str], of: int, what: str) -> None:
    """Warn of photos that could not be read and are left out, where there are any.

    Args:
        where: what leaves them out. failed: why, one a photo. of: photos asked for. what: such as
            `photos`.
    """
    if failed:
        message = "%s: %d of %d %s cannot be read and are left out. First: %s"
        log.warning(message, where, len(failed), of, what, failed[0])


def photos_left_out(pairs: Pairs) -> int:
    """Photos that rows name and that were missing or could not be read, of all splits together."""
    return sum(one.reason in _PHOTO_REASONS for one in pairs.rejected)


def counts_by_reason(rejected: list[Rejected]) -> str:
    """`photo_missing 3, empty_description 1`, the most frequent first."""
    counts = Counter(one.reason for one in rejected).most_common()
    return ", ".join(f"{reason} {count}" for reason, count in counts)


def in_words(one: Rejected) -> str:
    """Where a row or photo stood and why it gave no pair."""
    row = "" if one.row is None else f" row {one.row}"
    photo = f"{one.photo}: " if one.photo else ""
    return f"{one.file}{row}: {photo}{one.detail}"


def nothing_left(source: Path, rows_read: int, rejected: list[Rejected]) -> InputError:
    """The error of a source none of whose rows gives a pair."""
    if not rows_read:
        return InputError(f"{source}: has a header but no rows; nothing to learn from")
    first = "; ".join(in_words(one) for one in rejected[:3])
    return InputError(
        f"{source}: none of {rows_read} rows gives a pair ({counts_by_reason(rejected)}). "
        f"First: {first}"
    )
