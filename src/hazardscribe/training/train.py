"""`train`: from pairs and a recipe to a model folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EarlyStoppingCallback, ProgressCallback, set_seed
from transformers.trainer_callback import PrinterCallback

from hazardscribe import __version__
from hazardscribe.describing.calibrate import calibrate
from hazardscribe.describing.describer import image_bound
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.evaluation import evaluate_texts
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.files import cache_folder
from hazardscribe.model.checkpoint import (
    DEFAULT_PROMPT,
    Card,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hazardscribe.model.prompting import Prompter, crops
from hazardscribe.model.resize import set_image_size
from hazardscribe.objectives.alignment import AlignmentHead
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.pairs.targets import detect_language, target_texts
from hazardscribe.pairs.write import write_rejected
from hazardscribe.training.bank import text_bank
from hazardscribe.training.batches import Collator, PairDataset
from hazardscribe.training.callbacks import (
    EvaluateMissed,
    EvaluateWhenDue,
    Progress,
    StopOnSignal,
)
from hazardscribe.training.checks import check_run
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import (
    Run,
    plot_losses,
    prepare_folder,
    processes,
    versions,
    write_run,
)
from hazardscribe.training.trainer import DescriptionTrainer, first_steps, training_arguments
from hazardscribe.training.tuning import (
    apply_tuning,
    find_unreached,
    freeze_unreached,
    lay_out_convolutions,
    merged_state,
)

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

logger = logging.getLogger(__name__)

# Scores of an evaluation on `dev` that are logged during training.
_LOGGED = ("cider_d", "bleu_4", "rouge_l", "element_f1", "hazard_f1", "balanced_accuracy")


def train(
    pairs: Pairs,
    recipe: Recipe,
    out: str | Path = "runs/train",
    *,
    resume: bool = False,
    progress: bool = False,
) -> Run:
    """Train encoder and language model on pairs.

    Args:
        pairs: see `read_pairs`. recipe: see `Recipe`. out: the run folder.
        resume: go on from the folder's last checkpoint; on a CPU the result is bit for bit that of
            an uninterrupted run.
        progress: show a progress bar.

    Raises:
        InputError: for unusable pairs, recipe, start checkpoint or folder.
        TrainingDivergedError: when the loss is no longer a number.
    """
    started = time.time()
    out = Path(out)
    check_run(recipe, out, resume)
    for split in ("train", "dev"):
        if not len(pairs[split]):
            raise InputError(f"the pairs hold no {split} rows; training needs train and dev")
    digest = pairs.digest()
    checkpoint = prepare_folder(out, recipe, digest, resume)
    set_seed(recipe.seed)
    session = _Session(pairs, recipe, out, progress)
    record: dict[str, Any] = {
        "status": "running",
        "recipe": recipe.to_dict(),
        "versions": versions(),
        "data": {"digest": digest, **session.counts()},
    }
    write_run(out, record)
    if pairs.rejected and processes()[0] == 0:
        write_rejected(out, pairs.rejected)
    with StopOnSignal() as stop:
        trainer = session.trainer(stop)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except TrainingDivergedError as error:
            write_run(out, record | {"status": "diverged", "warnings": [str(error)]})
            raise
    status = "finished"
    if stop.received is not None:
        status = "interrupted"
    elif trainer.state.global_step < trainer.state.max_steps:
        status = "stopped_early"
    history = trainer.state.log_history
    record |= {
        "status": status,
        "metrics": session.best(history),
        "steps": trainer.state.global_step,
        "seconds": round(time.time() - started, 1),
        "warnings": session.all_warnings(),
        "history": history,
    }
    write_run(out, record)
    if status != "interrupted" and processes()[0] == 0:
        write_run(out, record | {"calibration": session.calibrate()})
    plot_losses(history, out / "loss.png", recipe.best_by)
    warnings = record["warnings"]
    return Run(out, out / "model", status, record["metrics"], stop.received, warnings)


class _Session:
    """Everything a run holds together: pairs, model, bank, and the evaluation on `dev`."""

    def __init__(self, pairs: Pairs, recipe: Recipe, out: Path, progress: bool) -> None:
        self.recipe, self.out, self.progress = recipe, out, progress
        self.warnings: list[str] = []
        # Of the last evaluation and of the one whose weights were kept: an untrained model says the
        # same of every photo, which is no news once it has learned to tell them apart.
        self._dev_warnings: list[str] = []
        self._kept_warnings: list[str] = []
        start = self._load_start()
        self.vlm, self.processor = start.vlm, start.processor
        rows = {split: pairs[split] for split in ("train", "dev")}
        texts = {split: target_texts(rows[split], recipe.target) for split in rows}
        language: str = recipe.language
        if language == "auto":
            language = detect_language(texts["train"])
        prompt = recipe.prompt or DEFAULT_PROMPT[language]
        self.card = Card(
            language=language,
            prompt=prompt,
            target=recipe.target,
            image_bound=recipe.image_bound or image_bound(Card(), self.processor),
            start=_absolute(recipe.start),
            version=__version__,
        )
        self.cache = self._cache([photo for split in rows for photo in rows[split]["photo"]])
        self._keep_decodable(rows, texts)
        self.prompter = Prompter(self.processor, self.vlm, prompt)
        apply_tuning(self.vlm, recipe)
        lay_out_convolutions(self.vlm)
        self.module = self._module()
        self._set_activation_checkpointing()

    def _load_start(self) -> Checkpoint:
        start = load_checkpoint(self.recipe.start)
        if self.recipe.image_size:
            set_image_size(start.vlm, start.processor, self.recipe.image_size)
        if crops(start.processor):
            self._warn(
                f"the processor of {self.recipe.start} crops the edges of photos off: hazards "
                "there are invisible to the model while their text remains"
            )
        return start

    def _cache(self, photos: Sequence[str]) -> PixelCache:
        assert self.card.image_bound is not None
        folder = cache_folder("pixels")
        return PixelCache.build(photos, folder, bound=self.card.image_bound, progress=self.progress)

    def _keep_decodable(self, rows: dict[str, Any], texts: dict[str, list[str]]) -> None:
        bad = len(self.cache.failed)
        if bad:
            first = next(iter(self.cache.failed.values()))
            self._warn(f"{bad} photos could not be decoded and are left out; first: {first}")
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for split, dataset in rows.items():
            self.rows[split] = [
                row | {"target": text}
                for row, text in zip(dataset, texts[split], strict=True)
                if row["photo"] in self.cache
            ]
            if not self.rows[split]:
                raise InputError(f"no photo of {split} could be decoded; run `hazardscribe check`")

    def _module(self) -> TrainingModule:
        recipe, options = self.recipe, self.recipe.alignment
        device = "cuda" if torch.cuda.is_available() else "cpu"
        texts = [row["target"] for row in self.rows["train"]]
        head = bank = None
        if options.weight > 0:
            bank = text_bank(recipe, texts, device)
            width = self.vlm.get_input_embeddings().weight.shape[1]
            head = AlignmentHead(width, len(bank.mean), options.form, options.queries)
        self.bank = bank
        return TrainingModule(self.vlm, head, bank, recipe).to(device)

    def _set_activation_checkpointing(self) -> None:
        if self.recipe.activation_checkpointing:
            self.vlm.activation_checkpointing_enable({"use_reentrant": False})

    def counts(self) -> dict[str, Any]:
        """What the run was given."""
        return {
            "train": len(self.rows["train"]),
            "dev": len(self.rows["dev"]),
            "distinct_texts": len({row["target"] for row in self.rows["train"]}),
            "undecodable": len(self.cache.failed),
        }

    def trainer(self, stop: StopOnSignal) -> DescriptionTrainer:
        """The training loop, ready to run."""
        recipe = self.recipe
        train_rows = self.rows["train"]
        index = self.bank.index if self.bank is not None else (lambda text: 0)
        dataset = PairDataset(
            [row["photo"] for row in train_rows],
            [row["target"] for row in train_rows],
            self.cache,
            recipe.augmentation,
            recipe.seed,
        )
        collator = Collator(self.prompter, recipe.max_text_tokens, index)
        device = next(self.module.parameters()).device
        probe = collator([dataset[0, 0], dataset[len(dataset) - 1, 0]])["batch"]
        probe = {name: value.to(device) for name, value in probe.items()}
        freeze_unreached(self.module, find_unreached(self.module, probe))

        per_step = recipe.batch_size * recipe.accumulation * processes()[1]
        steps = recipe.steps or max(1, round(recipe.epochs * len(train_rows) / per_step))
        trainer = DescriptionTrainer(
            model=self.module,
            args=training_arguments(recipe, self.out / "checkpoints", steps),
            train_dataset=dataset,
            eval_dataset=self.rows["dev"],
            data_collator=collator,
            recipe=recipe,
            lengths=[self.prompter.text_length(row["target"]) for row in train_rows],
            dev_scores=self.dev_scores,
            keep_best=self.keep_best,
            callbacks=[stop, EvaluateWhenDue(first_steps(recipe, steps))],
        )
        trainer.add_callback(EvaluateMissed(trainer.first_steps, trainer.evaluate_and_keep))
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        if self.progress:
            trainer.add_callback(Progress())
        if recipe.patience:
            trainer.add_callback(EarlyStoppingCallback(recipe.patience))
        return trainer

    def dev_scores(self) -> dict[str, float]:
        """Describe photos of `dev` with the present weights and score the descriptions."""
        recipe = self.recipe
        rows = self.rows["dev"][: recipe.evaluate_photos]
        texts: list[str] = []
        for i in range(0, len(rows), recipe.batch_size):
            photos = [self.cache.pixels(row["photo"]) for row in rows[i : i + recipe.batch_size]]
            decoding = Decoding(max_new_tokens=recipe.max_text_tokens)
            made = generate(
                self.vlm,
                self.prompter,
                photos,
                decoding,
                compute=getattr(torch, recipe.llm.compute),
            )
            texts += [description.texts[0] for description in made]
        described = dict(zip([row["photo"] for row in rows], texts, strict=True))
        cases = cases_from_rows(rows, [row["target"] for row in rows], described)
        evaluation = evaluate_texts(
            cases,
            train_texts=[row["target"] for row in self.rows["train"]],
            train_hazards=None,
            nearest=None,
            language=self.card.language,
            embed=None,
            resamples=0,
        )
        self._dev_warnings = list(evaluation.warnings)
        scores = {name: evaluation.metrics[name].value for name in _LOGGED}
        if scores[recipe.best_by] is None:
            self._warn(
                f"best_by: {recipe.best_by} cannot be computed on dev "
                f"({evaluation.nulls.get(recipe.best_by)}); rouge_l decides instead"
            )
            scores[recipe.best_by] = scores["rouge_l"]
        return {name: value for name, value in scores.items() if value is not None} | {
            "distinct_share": float(evaluation.metrics["distinct_share"])
        }

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Write the present weights as the model folder."""
        self._kept_warnings = self._dev_warnings
        save_checkpoint(
            self.out / "model",
            self.vlm,
            self.processor,
            card=self.card,
            head=self.module.head,
            bank=self.bank,
            state_dict=merged_state(self.vlm),
        )

    def calibrate(self) -> dict[str, Any]:
        """Fit on dev what describing takes from it, into the model folder; its main figures."""
        self.module.to("cpu")  # the best weights are loaded anew: make room for them
        torch.cuda.empty_cache()
        try:
            calibration = calibrate(
                self.out / "model",
                self.rows["train"],
                self.rows["dev"],
                best_by=self.recipe.best_by,
                batch_size=self.recipe.batch_size,
                precision=self.recipe.llm.compute,
                pixels=self.cache.pixels,
                seed=self.recipe.seed,
            )
        except torch.cuda.OutOfMemoryError:  # the optimizer's state is there still
            remedy = "not enough GPU memory beside the training; run `hazardscribe calibrate`"
            logger.warning("the model is trained but not calibrated: %s", remedy)
            return {"missing": remedy}
        return calibration.summary()

    def best(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """Scores on `dev` of the weights kept, with the step they were reached at."""
        key = f"eval_{self.recipe.best_by}"
        entries = [entry for entry in history if key in entry]
        if not entries:
            return {}
        best = max(entries, key=lambda entry: float(entry[key]))
        return {name.removeprefix("eval_"): value for name, value in best.items()}

    def all_warnings(self) -> list[str]:
        """What the user should know about the weights kept."""
        found = [*self.warnings, *(f"dev: {warning}" for warning in self._kept_warnings)]
        for warning in found[len(self.warnings) :]:
            logger.warning(warning)
        return found

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
            logger.warning(message)


def _absolute(start: str) -> str:
    """A folder as an absolute path; a name in the local cache as it is."""
    return str(Path(start).resolve()) if Path(start).exists() else start
