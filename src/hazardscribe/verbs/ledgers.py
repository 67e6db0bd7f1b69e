"""Verbs on pairs: check, merge, export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError
from hazardscribe.training.recipe import Recipe


def check(
    pairs: Any,
    out: Path | None = None,
    model: Path | None = None,
    columns: dict[str, str] | None = None,
    photos: Path | None = None,
    target: str = "{description}",
    wording: Path | None = None,
    sample: int = 24,
    seed: int = 0,
    progress: bool = False,
) -> Any:
    """Look over pairs and change nothing; see `hazardscribe.pairs.checking.check.check`.

    Args:
        pairs: pairs, or anything that `read_pairs` reads.
        out: report to write: `.html`, a self-contained page, or `.json`.
        model: model folder to start from; checks if its processor crops and if texts are cut off.
        columns: names of the `photo`, `description` and `split` columns, if they have unusual
            names: `--columns.photo NAME`.
        photos: folder of the photos, if it is not the table's.
        target: template of the text to learn, as in the recipe.
        wording: YAML list of slips and empty phrases that replaces the packaged one.
        sample: number of random pairs on the page.
        seed: random seed for the sample.
        progress: show a progress bar.

    Returns:
        A `CheckReport`: findings, `.failed(severity)`, `.write(path)`.

    Raises:
        InputError: the pairs or the model cannot be used, or the report cannot be written.
    """
    from hazardscribe.pairs.checking.check import check as check_pairs
    from hazardscribe.pairs.checking.page import check_target

    if out is not None:
        check_target(Path(out))
    if model is not None:
        from hazardscribe.model.folders import refuse_unusable

        refuse_unusable(model)

    def on_model(texts: Sequence[str]) -> Any:
        from hazardscribe.model.fitness import model_findings

        return [] if model is None else model_findings(Path(model), texts, Recipe.max_text_tokens)

    report = check_pairs(
        pairs,
        columns=columns,
        photos=photos,
        target=target,
        wording=wording,
        extra=on_model,
        progress=progress,
    )
    if out is not None:
        report.write(out, sample=sample, seed=seed)
    return report


def merge(
    pairs: Sequence[Path],
    out: Path,
    progress: bool = False,
) -> Any:
    """Put several folders of pairs into one, such as the old pairs and corrections since.

    Every row keeps its split, but a photo that shows nearly the same as one of an earlier folder
    goes to the split of that one. Of a row that two folders hold, the later state is taken.

    Args:
        pairs: the folders or tables, the older first.
        out: a new folder for all of them.
        progress: show a progress bar while photos are checked.

    Returns:
        A `Merged`: `.pairs`, and `.sources`, which tell what became of each folder's pairs.

    Raises:
        InputError: the pairs cannot be read, or the folder not written or is not empty.
    """
    from hazardscribe.files import check_writable
    from hazardscribe.pairs.exporting.export import check_out
    from hazardscribe.pairs.merging import merge_pairs

    out = Path(out)
    check_out("pairs", out)
    check_writable(out)
    merged = merge_pairs([Path(one) for one in pairs], progress=progress)
    merged.write(out)
    return merged


def export(
    pairs: Any,
    to: Literal["xlsx", "label-studio", "pairs"],
    out: Path,
    split: str | None = None,
    language: Literal["auto", "zh", "en"] = "auto",
    photos: Path | None = None,
    photo_url: str | None = None,
    progress: bool = False,
) -> Path:
    """Write pairs as a ledger with pictures, as tasks for Label Studio, or as a pairs folder.

    A `.jsonl` that `describe` wrote goes to xlsx and Label Studio too, for review.

    Args:
        pairs: pairs from `read_pairs`, or a path of pairs or of a described `.jsonl`.
        to: `xlsx`, `label-studio` (tasks in which people correct the texts) or `pairs`.
        out: the .xlsx file; for label-studio a folder or a .zip file; for pairs a new folder. An
            existing file is never overwritten.
        split: only this split: train, dev or validation.
        language: of headers and labelling interface; `auto`: the descriptions' language.
        photos: folder of the photos, if it is not the table's.
        photo_url: for label-studio: prefix of each photo's address; default: Label Studio's local
            file serving.
        progress: show a progress bar while photos are checked.

    Returns:
        What was written.

    Raises:
        InputError: if the source cannot be read, or the target cannot be written or is there
            already.
    """
    from hazardscribe.pairs.exporting.export import check_out, export_pairs, export_records
    from hazardscribe.pairs.read import Pairs, read_pairs

    out = Path(out)
    check_out(to, out)
    if not isinstance(pairs, Pairs):
        from hazardscribe.describing.description_files import is_described, read_records

        source = Path(pairs)
        if is_described(source):
            if split is not None:
                raise InputError(f"--split {split}: {source} holds descriptions, which have none")
            records = read_records(source, photos)
            return export_records(records, to, out, language=language, photo_url=photo_url)
        pairs = read_pairs(source, photos=photos, progress=progress)
    return export_pairs(pairs, to, out, split=split, language=language, photo_url=photo_url)
