"""Verbs on new photos: describe, similar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError


def describe(
    photos: Sequence[str],
    model: Path,
    out: Path | None = None,
    beams: int = 1,
    alternatives: int = 0,
    batch_size: int = 16,
    max_new_tokens: int = 96,
    precision: Literal["float32", "bfloat16"] = "float32",
    device: str | None = None,
    rerank: bool | None = None,
    doubt: bool = True,
    risk: float | None = None,
) -> Any:
    """Describe photos, one record each, as they come; a bad photo's record says why.

    Args:
        photos: photos, folders or patterns.
        model: model folder.
        out: `.jsonl`, `.csv` or `.xlsx` (with the photos) file to write as well; only an earlier
            one of `describe` is written over.
        beams: breadth of the search for the most likely text; 1 is greedy.
        alternatives: further descriptions a photo.
        batch_size: photos at a time.
        max_new_tokens: longest description, in tokens.
        precision: type in which the products are computed.
        device: `cpu`, `cuda` ...; default: a GPU where there is one.
        rerank: compare several candidates by both likelihoods; default: where it gained on dev.
        doubt: hold back a description that is not sure enough; `--doubt false` gives every draft.
        risk: share of unacceptable answers aimed at; default: that of the calibration.

    Returns:
        An iterator of records: photo, ai_description, confidence, doubt, draft, alternatives,
        error. The text is not called `description`, so that nobody trains on it unconfirmed.
    """
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.sources import check_out, find_photos, record, write_records

    if out is not None:
        check_out(Path(out))
    found = find_photos([photos] if isinstance(photos, str | Path) else photos)
    describer = Describer(
        model,
        device=device,
        beams=beams,
        alternatives=alternatives,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        precision=precision,
        rerank=rerank,
        doubt=doubt,
        risk=risk,
    )
    records = (
        record(photo, description)
        for photo, description in zip(found, describer.stream(found), strict=True)
    )
    if out is None:
        return records
    language = describer.card.language
    return write_records(records, Path(out), language=language, alternatives=alternatives > 0)


def similar(
    photo: Path,
    model: Path,
    data: Any,
    k: int = 5,
    split: str | None = None,
    out: Path | None = None,
    batch_size: int = 16,
    device: str | None = None,
    progress: bool = False,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Any:
    """Find the past cases most like a photo, by what the aligned encoder sees in them.

    Args:
        photo: the photo; it need not be of the pairs.
        model: model folder.
        data: the pairs, or their path.
        k: how many cases.
        split: only this split; default: all.
        out: `.html` page to write, with the photos.
        batch_size: photos at a time.
        device: `cpu`, `cuda` ...; default: a GPU where there is one.
        progress: show a progress bar.
        photos: folder of the pairs' photos, where it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, where they have no usual
            name: `--columns.photo NAME`.

    Returns:
        A list of `PastCase`: photo, text, similarity; most alike first.

    Raises:
        InputError: the model holds no alignment, the pairs cannot be read, or the page not written.
        PhotoError: the photo cannot be used.
    """
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.similar import check_page, find_similar, write_page
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import Pairs, read_pairs

    if k < 1:
        raise InputError(f"--k {k}: must be at least 1.")
    if out is not None:
        check_page(Path(out))
    describer = Describer(model, device=device, batch_size=batch_size, calibrated=False)
    if not isinstance(data, Pairs):
        data = read_pairs(data, photos=photos, columns=columns, progress=progress)
        tell_left_out(data)
    splits = list(data.splits) if split is None else [split]
    rows = [row for name in splits for row in data[name]]
    found = find_similar(describer, photo, rows, k, progress=progress)
    if out is not None:
        write_page(Path(out), photo, found, describer.card.language)
    return found
