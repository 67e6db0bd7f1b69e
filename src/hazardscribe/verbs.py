"""The verbs: what the command line and Python callers do with hazardscribe.

Signatures live here, without torch or transformers, so that help and argument errors come at once;
each verb imports what it needs when it runs. Results of heavy types are annotated `Any`, because
the command line's parser resolves every annotation, return types too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError
from hazardscribe.training.recipe import Recipe

SCRATCH = "scratch"


def init(
    out: Path,
    vision: str = SCRATCH,
    llm: str = SCRATCH,
    data: Path | None = None,
    image_size: int | None = None,
    chat: Literal["auto", "plain"] = "auto",
    target: str = "{description}",
    seed: int = 0,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Path:
    """Compose a model to start training from: a visual tower and a language model.

    Args:
        out: model folder to write.
        vision: tower: a folder in Hugging Face format (SigLIP, SigLIP 2, CLIP, DINOv2, ViT, or a
            timm backbone), `timm:NAME`, or `scratch` for a small untrained one.
        llm: causal language model: a folder in Hugging Face format, or `scratch` for a small
            untrained one whose tokenizer is learned from the pairs' descriptions.
        data: the pairs, for `--llm scratch`.
        image_size: side of the model's square input in pixels; default: the tower's own.
        chat: `auto` keeps the language model's chat template, `plain` writes only photo and prompt
            (fewer tokens, so faster; for training the language model in full).
        target: which columns make up the text, for `--llm scratch`.
        seed: of the new weights.
        photos: folder of the pairs' photos, where it is not the table's.
        columns: names of the pairs' `photo`, `description` and `split` columns, where they have
            no usual name: `--columns.photo NAME`.

    Returns:
        The model folder.

    Raises:
        InputError: if a part cannot be loaded or does not fit, or the folder exists.
    """
    import torch

    from hazardscribe import __version__
    from hazardscribe.files import check_writable
    from hazardscribe.model.checkpoint import DEFAULT_PROMPT, Card, save_checkpoint
    from hazardscribe.model.compose import compose, load_language_model, load_tower
    from hazardscribe.model.scratch import scratch_language_model, scratch_tower
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.targets import detect_language, target_texts

    out = Path(out)
    if out.exists():
        raise InputError(f"--out {out}: already exists. Name a new folder, or delete this one.")
    check_writable(out)
    language = None
    texts: list[str] = []
    if data is not None:
        pairs = read_pairs(data, photos=photos, columns=columns, check_photos=False)
        texts = target_texts(pairs["train"], target)
        language = detect_language(texts)
    if llm == SCRATCH and not texts:
        raise InputError(
            "--llm scratch: learns its tokenizer from descriptions; name the pairs with --data."
        )
    torch.manual_seed(seed)
    tower = (
        scratch_tower(image_size, seed=seed)
        if vision == SCRATCH
        else load_tower(vision, image_size)
    )
    language_model = (
        scratch_language_model(texts, seed=seed) if llm == SCRATCH else load_language_model(llm)
    )
    vlm, processor = compose(tower, language_model, chat=chat)
    language = language or "zh"
    card = Card(
        language=language,
        prompt=DEFAULT_PROMPT[language],
        target=target,
        tower=vision,
        version=__version__,
    )
    save_checkpoint(out, vlm, processor, card=card)
    return out


def import_ledger(
    ledger: Path,
    out: Path | None = None,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
    sheets: list[str] | None = None,
    split: str = "random",
    split_numbered: bool = False,
    keep_unseeable: bool = False,
    unseeable: Path | None = None,
    dry_run: bool = False,
    seed: int = 0,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Any:
    """Turn a ledger into a folder of pairs; every row and picture is accounted for.

    Args:
        ledger: .xlsx, .xlsm, .csv, .tsv or .txt; a .zip or a folder of ledgers and photos; a
            .json export of Label Studio, of which corrected texts are taken.
        out: folder to write; an earlier import of the same ledger is replaced.
        photos: folder or zip of the photos that the ledger names.
        columns: role and column where the usual names do not find it, as in
            `--columns.description 备注`; an empty name for no column. Roles: photo, description,
            split, after_photo, category, level, place, date, site, project, inspector, measure,
            responsible, due, status.
        sheets: the sheets to read, also hidden ones: `--sheets NAME`, once for each; default: all
            that are visible.
        split: `random`, or `group=COLUMN` to keep equal values of a column or role together.
        split_numbered: make a pair of each hazard in a cell that numbers several.
        keep_unseeable: keep rows that no photo can show (missing permits, records, training).
        unseeable: YAML list of such rows to use instead of the program's own.
        dry_run: read and count everything, write nothing.
        seed: of the division into splits.
        progress: show a progress bar.
        say: takes the summary.

    Returns:
        An `Imported`: folder, account, sheets, splits, warnings.
    """
    from hazardscribe.pairs.ledger.importing import import_ledger as run_import

    return run_import(
        ledger,
        out=out,
        photos=photos,
        columns=columns,
        sheets=sheets or (),
        split=split,
        split_numbered=split_numbered,
        keep_unseeable=keep_unseeable,
        unseeable=unseeable,
        dry_run=dry_run,
        seed=seed,
        progress=progress,
        say=say,
    )


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
        model: model folder to start from: does its processor crop, does it learn whole texts?
        columns: role -> column, where photo, description or split have no usual name.
        photos: folder of the photos, where it is not the table's.
        target: which columns make up the text, as in training.
        wording: YAML list of slips and empty phrases in place of the packaged one.
        sample: random pairs that the page shows.
        seed: of the sample.
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


def train(
    data: Any,
    recipe: Recipe,
    out: Path = Path("runs/train"),
    resume: bool = False,
    progress: bool = False,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Any:
    """Train encoder and language model on pairs; see `hazardscribe.training.train.train`.

    Args:
        data: pairs from `read_pairs`, or their path. recipe: see `Recipe`. out: the run folder.
        resume: go on from the folder's last checkpoint. progress: show a progress bar.
        photos, columns: for `read_pairs`, where `data` is a path.

    Returns:
        A `Run`: folder, model folder, status, metrics on dev, warnings.
    """
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import Pairs, read_pairs
    from hazardscribe.training.checks import check_run
    from hazardscribe.training.train import train as run_training

    if isinstance(data, Pairs):
        pairs = data
    else:
        check_run(recipe, Path(out), resume)  # before the photos are read
        pairs = read_pairs(data, photos=photos, columns=columns, progress=progress)
        tell_left_out(pairs)
    return run_training(pairs, recipe, out, resume=resume, progress=progress)


def evaluate_model(
    model: Path,
    data: Path,
    out: Path,
    split: str = "validation",
    rules: Path | None = None,
    text_encoder: str = "lsa",
    text_prefix: str = "",
    batch_size: int = 16,
    precision: Literal["float32", "bfloat16"] = "float32",
    beams: int = 1,
    rerank: bool | None = None,
    risk: float | None = None,
    safe_share: float = 0.0,
    evidence: int = 12,
    seed: int = 0,
    progress: bool = False,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Any:
    """Describe a split and write `metrics.json` and a self-contained `report.html`.

    Args:
        model: model folder.
        data: the pairs.
        out: folder for the report; an earlier report in it is written over.
        split: which rows to describe.
        rules: file of hazard rules; default: those of the model's language.
        text_encoder: for `text_similarity`: `lsa` or a model folder.
        text_prefix: put in front of each text for that encoder.
        batch_size: photos at a time.
        precision: type in which the products are computed.
        beams: breadth of the search for the most likely text; 1 is greedy.
        rerank: compare several candidates by both likelihoods; default: where it gained on dev.
        risk: share of unacceptable answers aimed at; default: that of the calibration.
        safe_share: share of the split's photos after rectification to evaluate as well, as photos
            without a hazard: what a ledger of hazards alone cannot tell, false alarms, they can.
        evidence: photos, the worst first, of which the report shows which parts speak for each
            phrase of the model's text.
        seed: of bootstrap and shuffle test.
        progress: show a progress bar.
        photos: folder of the photos, where it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, where they have no usual
            name: `--columns.photo NAME`.

    Returns:
        An `Evaluation`.
    """
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.evaluate import evaluate as evaluate_rows
    from hazardscribe.describing.heat_map import heat_maps
    from hazardscribe.evaluation.report import check_folder, write_report
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.files import check_writable
    from hazardscribe.model.folders import refuse_unusable
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.safe import SAFE_TEXT, with_safe
    from hazardscribe.training.run import run_of

    out = Path(out)
    # What is quickly told comes before what takes long: folder, rules, models, then photos.
    check_folder(out)
    check_writable(out)
    if rules is not None:
        Rules.load(rules)
    if text_encoder != "lsa":
        refuse_unusable(text_encoder)
    describer = Describer(
        model, batch_size=batch_size, precision=precision, beams=beams, rerank=rerank, risk=risk
    )
    pairs = read_pairs(data, photos=photos, columns=columns, progress=progress)
    tell_left_out(pairs)
    language = describer.card.language
    target = describer.card.target
    pairs = with_safe(pairs, safe_share, SAFE_TEXT[language], target=target)
    evaluation = evaluate_rows(
        describer,
        pairs[split],
        pairs["train"] if "train" in pairs.splits else None,
        rules=rules,
        text_encoder=text_encoder,
        text_prefix=text_prefix,
        seed=seed,
        progress=progress,
    )
    facts = run_of(Path(model)) | {"split": split, "data": {"digest": pairs.digest()}}
    write_report(
        evaluation,
        out,
        title=f"{Path(model).resolve().parent.name}: {split}",
        run=facts,
        look=lambda case: heat_maps(describer, case.photo, case.prediction),
        looks=evidence,
    )
    return evaluation


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


def calibrate(
    model: Path,
    data: Any,
    risk: float = 0.1,
    best_by: Literal[
        "cider_d", "bleu_4", "rouge_l", "element_f1", "hazard_f1", "balanced_accuracy"
    ] = "cider_d",
    beams: int = 4,
    batch_size: int = 16,
    precision: Literal["float32", "bfloat16"] = "float32",
    device: str | None = None,
    seed: int = 0,
    progress: bool = False,
    photos: Path | None = None,
    columns: dict[str, str] | None = None,
) -> Any:
    """Fit re-ranking, confidence and doubt on `dev` and write them into the model folder.

    Training does this at its end; here it is done anew, for another risk, other pairs, or a model
    that came from elsewhere. A model with an alignment head but no text bank gets one if the
    `run.json` beside it holds its recipe.

    Args:
        model: model folder; changed in place.
        data: the pairs it was trained on, or their path: train and dev are used.
        risk: share of unacceptable answers aimed at.
        best_by: score that re-ranking is chosen by.
        beams: candidates a photo for re-ranking.
        batch_size: photos at a time.
        precision: type in which the products are computed.
        device: `cpu`, `cuda` ...; default: a GPU where there is one.
        seed: of the cross-validation.
        progress: show progress bars.
        photos: folder of the photos, where it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, where they have no usual
            name: `--columns.photo NAME`.

    Returns:
        A `Calibration`.

    Raises:
        InputError: the model or the pairs cannot be used.
    """
    from hazardscribe.describing.calibrate import calibrate as run_calibrate
    from hazardscribe.model.folders import refuse_unusable
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import Pairs, read_pairs
    from hazardscribe.training.bank import restore_bank

    if not 0 < risk < 1:
        raise InputError(f"--risk {risk}: must be between 0 and 1, such as 0.1")
    refuse_unusable(model)
    if not isinstance(data, Pairs):
        data = read_pairs(data, photos=photos, columns=columns, progress=progress)
        tell_left_out(data)
    restore_bank(Path(model), data["train"])
    return run_calibrate(
        Path(model),
        data["train"],
        data["dev"],
        best_by=best_by,
        risk=risk,
        beams=beams,
        device=device,
        batch_size=batch_size,
        precision=precision,
        seed=seed,
        progress=progress,
    )


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
        out: the .xlsx file; for label-studio a folder or a .zip file; for pairs a folder. A file
            that is there already is never written over.
        split: only this split: train, dev or validation.
        language: of headers and labelling interface; auto: that of the descriptions.
        photos: folder of the photos, where it is not the table's.
        photo_url: for label-studio: what stands before each photo's path in its address; default:
            Label Studio's local file serving.
        progress: show a progress bar while photos are checked.

    Returns:
        What was written.

    Raises:
        InputError: if the source cannot be read, or the target cannot be written or is a file that
            exists.
    """
    from hazardscribe.pairs.exporting.export import check_out, export_pairs, export_records
    from hazardscribe.pairs.read import Pairs, read_pairs

    out = Path(out)
    check_out(out)
    if not isinstance(pairs, Pairs):
        from hazardscribe.describing.sources import is_described, read_records

        source = Path(pairs)
        if is_described(source):
            if split is not None:
                raise InputError(f"--split {split}: {source} holds descriptions, which have none")
            records = read_records(source, photos)
            return export_records(records, to, out, language=language, photo_url=photo_url)
        pairs = read_pairs(source, photos=photos, progress=progress)
    return export_pairs(pairs, to, out, split=split, language=language, photo_url=photo_url)
