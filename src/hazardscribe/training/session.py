"""What every stage of training holds together: pairs, model, and the weights kept."""

from __future__ import annotations

import gc
import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import ProgressCallback
from transformers.trainer_callback import PrinterCallback

from hazardscribe import __version__
from hazardscribe.describing.calibrate import calibrate
from hazardscribe.describing.look import NoUnseenPhotoError
from hazardscribe.errors import InputError
from hazardscribe.evaluation.rules import RULES_FILE, Rules, own_rules
from hazardscribe.files import cache_folder
from hazardscribe.model.attention import use_short_attention
from hazardscribe.model.checkpoint import (
    DEFAULT_PROMPT,
    Card,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hazardscribe.model.folders import absolute
from hazardscribe.model.image_bound import image_bound
from hazardscribe.model.layout import lay_out_convolutions
from hazardscribe.model.memory import give_back_freed_memory, keep_freed_memory
from hazardscribe.model.prompting import Prompter, crops
from hazardscribe.model.resize import set_image_size
from hazardscribe.model.seen_photos import SeenPhotos
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.pairs.targets import detect_language, target_texts
from hazardscribe.processes import is_first
from hazardscribe.training.callbacks import (
    EvaluateMissed,
    EvaluateWhenDue,
    GiveBackMemory,
    Progress,
    StopOnSignal,
    StopWithoutBetter,
)
from hazardscribe.training.dev import Dev
from hazardscribe.training.photo_notes import note_photos
from hazardscribe.training.products import use_faster_products
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.rows import Rows, shared
from hazardscribe.training.savings import recompute_activations
from hazardscribe.training.sharding import is_sharded, tie, whole
from hazardscribe.training.tuning import apply_tuning, merged_state

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

logger = logging.getLogger(__name__)

_DEV = "dev: "  # before a warning that speaks of the scores on `dev`


class Session(ABC):
    """One run of one stage. A stage says what is learned: `trainer` and `plot`.

    Attributes:
        rows: by split, the rows whose photo could be decoded, and their texts to learn.
        dev: what is known of the rows of `dev`, and their scores by the present weights.
        seen: the photos of these rows, and those that the start had seen.
        rules: how statements are read; own_rules: the same where they are not the shipped ones.
        reason: why the run ended before its last step, where there is more to say than the score.
    """

    def __init__(self, pairs: Pairs, recipe: Recipe, out: Path, progress: bool) -> None:
        self.recipe, self.out, self.progress = recipe, out, progress
        self._keeps_memory = not torch.cuda.is_available() and keep_freed_memory()
        self.warnings: list[str] = []
        self.reason: str | None = None
        # Of the scores whose weights were kept: an untrained model says the same of every photo,
        # which is no news once it has learned to tell them apart.
        self._kept_warnings: list[str] = []
        start = self._load_start()
        self.vlm, self.processor = start.vlm, start.processor
        rows = {split: pairs[split] for split in ("train", "dev")}
        self.card = self._make_card(start, pairs)
        self.own_rules = Rules.load(recipe.rules) if recipe.rules else own_rules(start.folder)
        self.rules = self.own_rules or Rules.load(self.card.language)
        # Whoever describes with the model later stops where its training cut the texts, and by
        # `load_checkpoint` writes greedily, whatever the start was made for.
        self.vlm.generation_config.max_new_tokens = recipe.max_text_tokens
        texts = {split: shared(target_texts(rows[split], self.card.target)) for split in rows}
        self._targets = _digest(texts)
        self.cache = self._cache([photo for split in rows for photo in rows[split]["photo"]])
        self._keep_decodable(rows, texts)
        self.dev = Dev(self.rows["dev"], self.cache, self.card.language, self.rules, recipe)
        self.recipe = self._deciding()
        self.seen = self._note_photos(start, pairs)
        self.prompter = Prompter(self.processor, self.vlm, self.card.prompt)
        self._tell_photo_tokens()
        apply_tuning(self.vlm, recipe)
        lay_out_convolutions(self.vlm)
        # These are called by name, where a compiler cannot look inside.
        if not (recipe.compile and recipe.stage == "likelihood"):
            use_faster_products(self.vlm)
            if not torch.cuda.is_available():
                use_short_attention(self.vlm)

    @abstractmethod
    def trainer(self, stop: StopOnSignal) -> Any:
        """The training loop, ready to run."""

    @abstractmethod
    def plot(self, history: list[dict[str, Any]], path: Path) -> None:
        """Draw the course of the training as a PNG."""

    def counts(self) -> dict[str, Any]:
        """What the run was given: numbers, and the SHA-256 of the texts and of rules of its own."""
        return {
            "train": len(self.rows["train"]),
            "dev": len(self.rows["dev"]),
            "distinct_texts": len(set(self.rows["train"].texts())),
            "undecodable": len(self.cache.failed),
            "targets": self._targets,
            "rules": self.own_rules.digest if self.own_rules else None,
        }

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

    def _make_card(self, start: Checkpoint, pairs: Pairs) -> Card:
        """What describing will need to know."""
        recipe = self.recipe
        language = language_of(recipe, pairs)
        return Card(
            language=language,
            prompt=recipe.prompt or DEFAULT_PROMPT[language],
            target=recipe.target,
            image_bound=recipe.image_bound or image_bound(Card(), start.processor),
            start=absolute(recipe.start),
            safe_share=recipe.safe_share,
            safe_text=recipe.safe_text,
            version=__version__,
        )

    def _cache(self, photos: Sequence[str]) -> PixelCache:
        assert self.card.image_bound is not None
        folder = cache_folder("pixels")
        return PixelCache.build(photos, folder, bound=self.card.image_bound, progress=self.progress)

    def _keep_decodable(self, rows: dict[str, Any], texts: dict[str, list[str]]) -> None:
        bad = len(self.cache.failed)
        if bad:
            first = next(iter(self.cache.failed.values()))
            self._warn(f"{bad} photos could not be decoded and are left out; first: {first}")
        self.rows: dict[str, Rows] = {}
        for split, dataset in rows.items():
            kept = (i for i, photo in enumerate(dataset["photo"]) if photo in self.cache)
            self.rows[split] = Rows(dataset, np.fromiter(kept, dtype=np.int64), texts[split])
            if not self.rows[split]:
                raise InputError(f"no photo of {split} could be decoded; run `hazardscribe check`")

    def _tell_photo_tokens(self) -> None:
        """Log what a photo is to the model: with it grow the memory and the time of a step."""
        pixels = self.cache.pixels(self.rows["train"].photos()[0])
        inputs = self.prompter.inputs([pixels])
        tokens = int((inputs["input_ids"] == self.prompter.image_token_id).sum())
        logger.info(
            "the first training photo is %d tokens to the language model%s; a forward pass holds "
            "%d photos",
            tokens,
            _tiles(inputs),
            self.recipe.batch_size,
        )

    def _deciding(self) -> Recipe:
        """The recipe with the score by which weights are kept: `best_by`, if dev defines it."""
        wanted = self.recipe.best_by
        if wanted not in self.dev.undefined:
            return self.recipe
        self._warn(
            f"best_by: {wanted} cannot be computed on dev ({self.dev.undefined[wanted]}); rouge_l "
            "decides instead"
        )
        return replace(self.recipe, best_by="rouge_l")

    def _note_photos(self, start: Checkpoint, pairs: Pairs) -> SeenPhotos:
        """What the model will have seen; it is said where the start was trained on dev."""
        validation = pairs["validation"]["photo"] if "validation" in pairs else ()
        seen, learned = note_photos(self.cache, self.rows, validation, start.folder)
        if learned:
            self._warn(
                f"the start, {self.recipe.start}, was trained on {learned}, or on "
                "pictures that are nearly the same: scores on them flatter, and dev chooses "
                "weights that remember. Give each photo the split that it had in the start's "
                "pairs, or start from a model that has not seen them."
            )
        return seen

    def _set_activation_checkpointing(self) -> None:
        if self.recipe.activation_checkpointing:
            recompute_activations(self.vlm, self.recipe)

    def _surround(self, trainer: Any, stop: StopOnSignal, first_steps: int) -> None:
        """What every loop has around it, in place of transformers' own printing.

        Args:
            first_steps: steps that are never evaluated, see `EvaluateMissed`.
        """
        trainer.keep_by(self.dev_scores, self.keep_best, self.recipe.keep)
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(stop)
        trainer.add_callback(EvaluateWhenDue(first_steps))
        trainer.add_callback(EvaluateMissed(first_steps, trainer.evaluate_and_keep))
        if self._keeps_memory:
            trainer.add_callback(GiveBackMemory())
        if self.progress:
            trainer.add_callback(Progress())
        if self.recipe.patience:
            trainer.add_callback(StopWithoutBetter(self.recipe.best_by, self.recipe.patience))

    def dev_scores(self) -> dict[str, float]:
        """Describe photos of `dev` with the present weights and score the descriptions."""
        return self.dev.scores(self.vlm, self.prompter, self.rows["train"].texts())

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Write the present weights as the model folder; all processes call this, one writes."""
        self._kept_warnings = self.dev.warnings
        state, alignment = merged_state(self.vlm), self._alignment()
        if is_sharded(self.vlm):
            state = whole(self.vlm.state_dict() if state is None else state, keep=is_first())
            tie(self.vlm, state)
        if is_first():
            save_checkpoint(
                self.out / "model",
                self.vlm,
                self.processor,
                card=self.card,
                state_dict=state,
                seen=self.seen,
                texts={RULES_FILE: self.own_rules.text} if self.own_rules else None,
                **alignment,
            )

    def _alignment(self) -> dict[str, Any]:
        """What of the alignment goes with the model, as `save_checkpoint` takes it."""
        return {}

    def calibrate(self) -> dict[str, Any]:
        """Fit on dev what describing takes from it, into the model folder; its main figures."""
        self._make_room()
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
        except torch.cuda.OutOfMemoryError:
            remedy = "not enough GPU memory for it; run `hazardscribe calibrate`"
            logger.warning("the model is trained but not calibrated: %s", remedy)
            return {"missing": remedy}
        except NoUnseenPhotoError as error:
            logger.warning("the model is trained but not calibrated: %s", error)
            return {"missing": str(error)}
        return calibration.summary()

    def _make_room(self) -> None:
        """Let the last weights go: the best ones are loaded anew, for which there may be no room.

        The trainer is gone by now, but for circles in which it refers to itself.
        """
        self.vlm.to("cpu" if is_sharded(self.vlm) else "meta")
        gc.collect()
        torch.cuda.empty_cache()
        if self._keeps_memory:
            give_back_freed_memory()

    def best(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """Scores on `dev` of the weights kept, with the step they were reached at."""
        key = f"eval_{self.recipe.best_by}"
        entries = [entry for entry in history if key in entry]
        if not entries:
            return {}
        best = max(entries, key=lambda entry: float(entry[key]))
        scores = {name.removeprefix("eval_"): value for name, value in best.items()}
        # Earlier versions logged ROUGE-L under the name of a score that dev does not define.
        return {name: value for name, value in scores.items() if name not in self.dev.undefined}

    def recall(self, warnings: Sequence[str]) -> None:
        """Take over what the run said of the weights kept before it was resumed."""
        marked = [one for one in warnings if one.startswith(_DEV)]
        self._kept_warnings = [one.removeprefix(_DEV) for one in marked]

    def tell_versions(self, changed: Sequence[str]) -> None:
        """Say that a resumed run goes on with other software than it began with."""
        if changed:
            self._warn(
                f"resumed with other versions ({', '.join(changed)}): the result is not bit for "
                "bit that of an uninterrupted run"
            )

    def all_warnings(self) -> list[str]:
        """What the user should know about the weights kept."""
        found = [*self.warnings, *(f"{_DEV}{warning}" for warning in self._kept_warnings)]
        for warning in found[len(self.warnings) :]:
            logger.warning(warning)
        return found

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
            logger.warning(message)


def _tiles(inputs: dict[str, torch.Tensor]) -> str:
    """Of one photo's inputs, how many tiles it was cut into; nothing where it is one, or patches.

    Processors give `(N, 3, H, W)` or `(1, N, 3, H, W)`, and those of a free size rows of patches.
    """
    pixels = inputs.get("pixel_values")
    if pixels is None or pixels.ndim < 4 or (tiles := pixels.shape[:-3].numel()) == 1:
        return ""
    return f", from {tiles} tiles of {pixels.shape[-1]} x {pixels.shape[-2]} pixels"


def _digest(texts: dict[str, list[str]]) -> str:
    state = hashlib.sha256()
    for split, own in texts.items():
        for text in own:
            state.update(f"{split}\0{text}\0".encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def language_of(recipe: Recipe, pairs: Pairs) -> str:
    """The descriptions' language, as the recipe states it or as the training texts show it."""
    if recipe.language != "auto":
        return recipe.language
    return detect_language(target_texts(pairs["train"], recipe.target))
