"""Verbs on models: init, train, evaluate, calibrate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError
from hazardscribe.training.recipe import DevScore, Recipe

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
            convolutional timm backbone), `timm:NAME` (timm downloads the weights if they are not in
            its cache), or `scratch` for a small untrained one.
        llm: causal language model: a folder in Hugging Face format, or `scratch` for a small
            untrained one whose tokenizer is learned from the pairs' descriptions (needs `data`).
        data: the pairs, for `--llm scratch`.
        image_size: side of the model's square input in pixels; default: the tower's own.
        chat: `auto` keeps the language model's chat template, `plain` writes only photo and prompt
            (fewer tokens, so faster; for training the language model in full).
        target: template of the text to learn from the pairs' columns, for `--llm scratch`.
        seed: random seed for the new weights.
        photos: folder of the pairs' photos, if it is not the table's.
        columns: names of the pairs' `photo`, `description` and `split` columns, if they have
            unusual names: `--columns.photo NAME`.

    Returns:
        The model folder.

    Raises:
        InputError: if a part cannot be loaded or does not fit, or the folder exists.
    """
    import torch

    from hazardscribe import __version__
    from hazardscribe.files import check_writable
    from hazardscribe.model.checkpoint import DEFAULT_PROMPT, Card, save_checkpoint
    from hazardscribe.model.compose import compose
    from hazardscribe.model.language_model import load_language_model
    from hazardscribe.model.scratch import scratch_language_model, scratch_tower
    from hazardscribe.model.tower import load_tower
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

    Raises:
        InputError: pairs, recipe, start or run folder cannot be used, or the machine does not do:
            memory, disk, compiler.
        TrainingDivergedError: the loss or a gradient is no longer a number.
    """
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.read import Pairs, read_pairs
    from hazardscribe.pairs.shards import find_shards
    from hazardscribe.training import together
    from hazardscribe.training.checks import check_run
    from hazardscribe.training.train import train as run_training

    if isinstance(data, Pairs):
        pairs = data
    else:
        check_run(recipe, Path(out), resume)  # before the photos are read
        together.join()

        def read() -> Pairs:
            return read_pairs(data, photos=photos, columns=columns, progress=progress)

        # Every photo is decoded once for all processes; shards each machine maps for itself.
        pairs = read() if find_shards(Path(data)) else together.from_first(read)
        tell_left_out(pairs)
    return run_training(pairs, recipe, out, resume=resume, progress=progress)


def evaluate_model(
    model: Path,
    data: Path,
    out: Path,
    against: Path | None = None,
    split: str = "validation",
    rules: Path | None = None,
    text_encoder: str = "lsa",
    text_prefix: str = "",
    batch_size: int = 16,
    precision: Literal["float32", "bfloat16"] = "float32",
    device: str | None = None,
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
        out: folder for the report; it replaces an earlier report there.
        against: another model folder, such as that of the model in service: the report tells how
            the two differ on the photos that neither was trained on.
        split: which rows to describe.
        rules: file of hazard rules; default: the model's own, else those of its language.
        text_encoder: for `text_similarity`: `lsa` or a model folder.
        text_prefix: prefix for each text, if that encoder expects one.
        batch_size: photos described at a time.
        precision: number format of matrix products; bfloat16 halves the memory of their weights.
        device: `cpu`, `cuda` ...; default: a GPU if there is one.
        beams: number of beams in the search for the most likely text; 1: greedy.
        rerank: compare several candidates by both likelihoods; default: if it gained on dev.
        risk: target share of unacceptable answers; default: the calibration's.
        safe_share: share of the split's after-repair photos to add as hazard-free photos, to
            measure false alarms: 0 to 1.
        evidence: number of photos, worst first, for which the report shows the regions that
            support each phrase of the model's text.
        seed: random seed for the bootstrap and the shuffle test.
        progress: show a progress bar.
        photos: folder of the photos, if it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, if they have unusual
            names: `--columns.photo NAME`.

    Returns:
        An `Evaluation`.

    Raises:
        InputError: model, pairs, split, rules or text encoder cannot be used, or the folder not
            written.
    """
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.evaluate import evaluate as evaluate_rows
    from hazardscribe.describing.heat_map import heat_maps
    from hazardscribe.evaluation.report import check_folder, write_report
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.files import check_writable
    from hazardscribe.model.folders import refuse_unusable
    from hazardscribe.model.memory import keep_freed_memory
    from hazardscribe.pairs.left_out import photos_left_out, tell_left_out
    from hazardscribe.pairs.own_words import NO_HAZARD
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.safe import with_safe
    from hazardscribe.training.run import run_of, safe_of

    out = Path(out)
    # What is quickly told comes before what takes long: folder, rules, models, then photos.
    check_folder(out)
    check_writable(out)
    if rules is not None:
        Rules.load(rules)
    if text_encoder != "lsa":
        refuse_unusable(text_encoder)
    load = partial(
        Describer,
        device=device,
        batch_size=batch_size,
        precision=precision,
        beams=beams,
        rerank=rerank,
        risk=risk,
    )
    describer = load(model)
    other = None if against is None else load(against)
    if describer.device == "cpu":
        keep_freed_memory()
    pairs = read_pairs(data, photos=photos, columns=columns, progress=progress)
    tell_left_out(pairs)
    left_out = photos_left_out(pairs)
    language = describer.card.language
    target = describer.card.target
    text = safe_of(Path(model), describer.card)[1] or NO_HAZARD[language]
    pairs = with_safe(pairs, safe_share, text, target=target)
    evaluation = evaluate_rows(
        describer,
        pairs[split],
        pairs["train"] if "train" in pairs.splits else None,
        rules=rules,
        text_encoder=text_encoder,
        text_prefix=text_prefix,
        seed=seed,
        left_out=left_out,
        against=other,
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


def calibrate(
    model: Path,
    data: Any,
    risk: float = 0.1,
    best_by: DevScore = "cider_d",
    beams: int = 4,
    batch_size: int = 16,
    precision: Literal["float32", "bfloat16"] = "float32",
    device: str | None = None,
    safe_share: float | None = None,
    rules: Path | None = None,
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
        risk: target share of unacceptable answers.
        best_by: score by which re-ranking is chosen.
        beams: number of candidates per photo for re-ranking.
        batch_size: photos described at a time.
        precision: number format of matrix products; bfloat16 halves the memory of their weights.
        device: `cpu`, `cuda` ...; default: a GPU if there is one.
        safe_share: share of the after-repair photos to add to train and dev as hazard-free
            photos; default: that of the model's training, if the pairs have any.
        rules: file of hazard rules by which descriptions are acceptable; the model keeps it.
            Default: the model's own, else those of its language.
        seed: random seed for the cross-validation.
        progress: show progress bars.
        photos: folder of the photos, if it is not the table's.
        columns: names of the `photo`, `description` and `split` columns, if they have unusual
            names: `--columns.photo NAME`.

    Returns:
        A `Calibration`.

    Raises:
        InputError: the model or the pairs cannot be used.
    """
    from hazardscribe.describing.calibrate import calibrate as run_calibrate
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.model.checkpoint import load_card
    from hazardscribe.model.folders import refuse_unusable
    from hazardscribe.pairs.left_out import tell_left_out
    from hazardscribe.pairs.own_words import NO_HAZARD
    from hazardscribe.pairs.read import Pairs, read_pairs
    from hazardscribe.pairs.safe import has_safe, with_safe
    from hazardscribe.training.bank import restore_bank
    from hazardscribe.training.run import safe_of

    if not 0 < risk < 1:
        raise InputError(f"--risk {risk}: must be between 0 and 1, such as 0.1")
    for name, value in (("beams", beams), ("batch_size", batch_size)):
        if value < 1:
            raise InputError(f"--{name} {value}: must be at least 1.")
    own = None if rules is None else Rules.load(rules)
    refuse_unusable(model)
    if not isinstance(data, Pairs):
        data = read_pairs(data, photos=photos, columns=columns, progress=progress)
        tell_left_out(data)
    card = load_card(Path(model))
    share, text = safe_of(Path(model), card)
    if safe_share is None:  # pairs of hazards alone are told of where something is lost by them
        safe_share = share if has_safe(data) else 0.0
    data = with_safe(data, safe_share, text or NO_HAZARD[card.language], target=card.target)
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
        rules=own,
        seed=seed,
        progress=progress,
    )
