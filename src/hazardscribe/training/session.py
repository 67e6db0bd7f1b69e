"""What every stage of training holds together: pairs, model, and the evaluation on `dev`."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import ProgressCallback
from transformers.trainer_callback import PrinterCallback

from hazardscribe import __version__
from hazardscribe.describing.calibrate import NoUnseenPhotoError, calibrate
from hazardscribe.describing.describer import image_bound
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.errors import InputError
from hazardscribe.evaluation import evaluate_texts
from hazardscribe.evaluation.rows import cases_from_rows
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
from hazardscribe.model.layout import lay_out_convolutions
from hazardscribe.model.memory import keep_freed_memory
from hazardscribe.model.prompting import Prompter, crops
from hazardscribe.model.resize import set_image_size
from hazardscribe.model.seen_photos import SeenPhotos, load_seen
from hazardscribe.pairs.fingerprints import Fingerprints, fingerprints, kept_fingerprints
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.pairs.targets import detect_language, target_texts
from hazardscribe.processes import is_first, processes
from hazardscribe.training.callbacks import (
    GiveBackMemory,
    Progress,
    StopOnSignal,
    StopWithoutBetter,
)
from hazardscribe.training.compiled import uncompiled
from hazardscribe.training.products import use_faster_products
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.rows import Rows, shared
from hazardscribe.training.sharding import is_sharded, tie, whole
from hazardscribe.training.together import gathered
from hazardscribe.training.tuning import apply_tuning, merged_state

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

logger = logging.getLogger(__name__)

# Scores of an evaluation on `dev` that are logged during training.
_LOGGED = ("cider_d", "bleu_4", "rouge_l", "element_f1", "hazard_f1", "balanced_accuracy")

_DEV = "dev: "  # before a warning that speaks of the scores on `dev`


class Session(ABC):
    """One run of one stage. A stage says what is learned: `trainer` and `plot`.

    Attributes:
        rows: by split, the rows whose photo could be decoded, and their texts to learn.
        seen: the photos of these rows, and those that the start had seen.
        rules: how statements are read; own_rules: the same where they are not the shipped ones.
        reason: why the run ended before its last step, where there is more to say than the score.
    """

    def __init__(self, pairs: Pairs, recipe: Recipe, out: Path, progress: bool) -> None:
        self.recipe, self.out, self.progress = recipe, out, progress
        self._keeps_memory = not torch.cuda.is_available() and keep_freed_memory()
        self.warnings: list[str] = []
        self.reason: str | None = None
        # Of the last evaluation and of the one whose weights were kept: an untrained model says the
        # same of every photo, which is no news once it has learned to tell them apart.
        self._dev_warnings: list[str] = []
        self._kept_warnings: list[str] = []
        start = self._load_start()
        self.vlm, self.processor = start.vlm, start.processor
        rows = {split: pairs[split] for split in ("train", "dev")}
        self.card = self._make_card(start, pairs)
        self.own_rules = Rules.load(recipe.rules) if recipe.rules else own_rules(start.folder)
        self.rules = self.own_rules or Rules.load(self.card.language)
        # Whoever describes with the model later stops where its training cut the texts.
        self.vlm.generation_config.max_new_tokens = recipe.max_text_tokens
        texts = {split: shared(target_texts(rows[split], self.card.target)) for split in rows}
        self._targets = _digest(texts)
        self.cache = self._cache([photo for split in rows for photo in rows[split]["photo"]])
        self._keep_decodable(rows, texts)
        self.seen = self._note_photos(start, pairs)
        self.prompter = Prompter(self.processor, self.vlm, self.card.prompt)
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

    def _note_photos(self, start: Checkpoint, pairs: Pairs) -> SeenPhotos:
        """What the model will have seen; it is said where the start was trained on dev."""
        train, dev = (
            self._fingerprints([row["photo"] for row in self.rows[split]], self.cache.pixels, 1)
            for split in ("train", "dev")
        )
        seen, former = SeenPhotos.of(train, dev), load_seen(start.folder)
        if former is None:
            return seen
        learned = {"dev": former.trained_on(dev)}
        if "validation" in pairs:
            photos = self._fingerprints(pairs["validation"]["photo"], self._decode)
            learned["validation"] = former.trained_on(photos)
        counts = [f"{n.sum()} of {len(n)} {name} photos" for name, n in learned.items() if n.any()]
        if counts:
            self._warn(
                f"the start, {self.recipe.start}, was trained on {' and '.join(counts)}, or on "
                "pictures that are nearly the same: scores on them flatter, and dev chooses "
                "weights that remember. Give each photo the split that it had in the start's "
                "pairs, or start from a model that has not seen them."
            )
        return former | seen

    def _fingerprints(self, photos: Sequence[str], pixels: Any, threads: int = 0) -> Fingerprints:
        kept = kept_fingerprints(self.cache.folder, self.cache.bound)
        return fingerprints(list(dict.fromkeys(photos)), pixels, kept=kept, threads=threads)

    def _decode(self, photo: str) -> np.ndarray:
        return np.asarray(load_photo(photo, bound=self.cache.bound))

    def _set_activation_checkpointing(self) -> None:
        if self.recipe.activation_checkpointing:
            self.vlm.activation_checkpointing_enable({"use_reentrant": False})

    def _add_callbacks(self, trainer: Any) -> None:
        """What every loop has around it, in place of transformers' own printing."""
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        if self._keeps_memory:
            trainer.add_callback(GiveBackMemory())
        if self.progress:
            trainer.add_callback(Progress())
        if self.recipe.patience:
            trainer.add_callback(StopWithoutBetter(self.recipe.best_by, self.recipe.patience))

    def dev_scores(self) -> dict[str, float]:
        """Describe photos of `dev` with the present weights and score the descriptions."""
        recipe = self.recipe
        rows = self.rows["dev"].spread(recipe.evaluate_photos)
        if is_sharded(self.vlm):  # writing one text takes all processes, word by word
            texts = self._texts(rows)
        else:
            rank, world = processes()
            texts = [""] * len(rows)
            for first, part in enumerate(gathered(self._texts(rows[rank::world]))):
                texts[first::world] = part
        described = dict(zip(rows.photos(), texts, strict=True))
        cases = cases_from_rows(rows, rows.texts(), described)
        evaluation = evaluate_texts(
            cases,
            train_texts=self.rows["train"].texts(),
            train_hazards=None,
            nearest=None,
            language=self.card.language,
            rules=self.rules,
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

    def _texts(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """Greedy descriptions by the present weights."""
        recipe, texts = self.recipe, []
        for i in range(0, len(rows), recipe.batch_size):
            photos = [self.cache.pixels(row["photo"]) for row in rows[i : i + recipe.batch_size]]
            with uncompiled():
                made = generate(
                    self.vlm,
                    self.prompter,
                    photos,
                    Decoding(max_new_tokens=recipe.max_text_tokens),
                    compute=getattr(torch, recipe.llm.compute),
                )
            texts += [description.texts[0] for description in made]
        return texts

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Write the present weights as the model folder; all processes call this, one writes."""
        self._kept_warnings = self._dev_warnings
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
        self.vlm.to("cpu")  # the best weights are loaded anew: make room for them
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
        except NoUnseenPhotoError as error:
            logger.warning("the model is trained but not calibrated: %s", error)
            return {"missing": str(error)}
        return calibration.summary()

    def best(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """Scores on `dev` of the weights kept, with the step they were reached at."""
        key = f"eval_{self.recipe.best_by}"
        entries = [entry for entry in history if key in entry]
        if not entries:
            return {}
        best = max(entries, key=lambda entry: float(entry[key]))
        return {name.removeprefix("eval_"): value for name, value in best.items()}

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


def absolute(start: str) -> str:
    """A folder as an absolute path; a name in the local cache as it is."""
    return str(Path(start).resolve()) if Path(start).exists() else start
