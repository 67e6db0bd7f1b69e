"""The second stage: how good generated descriptions are trains encoder and language model.

It starts from a model of the first stage and leaves a run folder of the same form. The alignment
head goes along as it was: no reward speaks of it, and the tower that it reads moves by far smaller
steps than those that made the two fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.model.checkpoint import (
    CARD_FILE,
    Card,
    Checkpoint,
    load_card,
    load_checkpoint,
)
from hazardscribe.model.layout import lay_out_convolutions
from hazardscribe.training.callbacks import StopOnSignal, StopWhenParted, WarnOfWildDraws
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.plots import plot_rewards
from hazardscribe.training.products import use_faster_products
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.reward_loop import Reference, make_trainer
from hazardscribe.training.rewards import reward_parts
from hazardscribe.training.run import safe_of
from hazardscribe.training.sampling import Sampling
from hazardscribe.training.session import Session
from hazardscribe.training.tuning import find_unreached, freeze_unreached

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

_EVALUATIONS = 10  # on dev, where the recipe does not say how often


class RewardSession(Session):
    """Trains by the reward of what the model itself writes."""

    def __init__(self, pairs: Pairs, recipe: Recipe, out: Path, progress: bool) -> None:
        super().__init__(pairs, recipe, out, progress)
        targets = self.rows["train"].texts()
        photos = {row["photo"]: "" for row in self.rows["train"]}
        self.cases = cases_from_rows(self.rows["train"], targets, photos)
        self._check_photos()
        self.parts = reward_parts(recipe, self.cases, self.card.language, self.rules)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.module = TrainingModule(self.vlm, None, None, recipe).to(device)
        self._freeze_unreached(targets[0], device)
        photo_names = [case.photo for case in self.cases]
        self.sampling = Sampling(self.prompter, self.cache, photo_names, recipe)
        if recipe.reward.temperature is None:
            self.sampling.calm_down(self.vlm.eval(), recipe.seed)
        self._set_activation_checkpointing()

    def counts(self) -> dict[str, Any]:
        """What the run was given, and the temperature that its start's draws called for."""
        return super().counts() | {"temperature": self.sampling.temperature}

    def _make_card(self, start: Checkpoint, pairs: Pairs) -> Card:
        """The first stage's card: photos are decoded as then, and its start is our start's start.

        The latter is what the nearest-photo baseline rests on: a tower that nobody trained.
        """
        card, former = super()._make_card(start, pairs), start.card
        share = safe_of(start.folder, former)[0]
        if share and not self.recipe.safe_share:
            self._warn(
                f"the start was trained with safe_share {share:g}, this run is not: it sees no "
                "photo after rectification, nor does its calibration, so that it may never say "
                f"that no hazard is seen. Set safe_share: {share:g} in the recipe, or run "
                "`hazardscribe calibrate` afterwards."
            )
        return replace(
            card,
            image_bound=former.image_bound or card.image_bound,
            start=former.start or card.start,
            tower=former.tower,
            safe_share=card.safe_share or share,
        )

    def _check_photos(self) -> None:
        per_step = self.recipe.batch_size
        if per_step > len(self.cases):
            raise InputError(
                f"recipe: batch_size is {per_step}, but there are only {len(self.cases)} training "
                "photos. Lower batch_size."
            )

    def _freeze_unreached(self, text: str, device: str) -> None:
        pixels = self.cache.pixels(self.cases[0].photo)
        batch = self.prompter.training_batch([pixels], [text], self.recipe.max_text_tokens)
        batch["bank_indices"] = torch.tensor([0])
        batch = {name: value.to(device) for name, value in batch.items()}
        freeze_unreached(self.module, find_unreached(self.module, batch))

    def _reference(self) -> Reference:
        trained = [n for n, p in self.vlm.named_parameters() if p.requires_grad]
        if all("lora_" in name for name in trained):
            return Reference(self.vlm, None)
        copy = load_checkpoint(self.recipe.start, device=self.vlm.device).vlm
        lay_out_convolutions(copy)
        use_faster_products(copy)
        return Reference(self.vlm, copy.requires_grad_(False))

    def trainer(self, stop: StopOnSignal) -> Any:
        """The training loop, ready to run."""
        recipe = self.recipe
        steps = recipe.steps or _steps(recipe, len(self.cases))
        every = recipe.evaluate_every or max(1, steps // _EVALUATIONS)
        trainer = make_trainer(
            self.module,
            self.processor,
            self.sampling,
            self._reference(),
            self.parts,
            replace(_slowed(recipe), evaluate_every=every),
            self.out / "checkpoints",
            photos=len(self.cases),
            steps=steps,
        )
        # The start model is scored too, so that it is seen whether training made anything better.
        self._surround(trainer, stop, first_steps=-1)
        trainer.add_callback(WarnOfWildDraws(self._warn))
        if recipe.reward.part_after:
            parted = StopWhenParted(recipe.best_by, recipe.reward.part_after, self._tell)
            trainer.add_callback(parted)
        return trainer

    def _tell(self, reason: str) -> None:
        self.reason = reason
        self._warn(reason)

    def _alignment(self) -> dict[str, Any]:
        return {"alignment_of": Path(self.recipe.start)}

    def best(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """As always; and it is said where the start was never bettered."""
        best = super().best(history)
        if best and best["step"] == 0 and len(_evaluations(history)) > 1:
            self._warn(
                f"no step made {self.recipe.best_by} on dev better than the start model's "
                f"{best[self.recipe.best_by]:.3f}: model/ holds the start's own weights"
            )
        return best

    def plot(self, history: list[dict[str, Any]], path: Path) -> None:
        """Reward, distance from the start, and the dev scores."""
        names = [part.name for part in self.parts]
        plot_rewards(history, path, names, self.recipe.best_by)


def with_words_of_start(recipe: Recipe) -> Recipe:
    """The recipe with prompt, language, target and, unless it has one, `safe_text` of the start.

    A checkpoint from elsewhere states none; the recipe's hold then.
    """
    if not (Path(recipe.start) / CARD_FILE).is_file():
        return recipe
    card = load_card(Path(recipe.start))
    language: Any = card.language
    return replace(
        recipe,
        language=language,
        prompt=card.prompt,
        target=card.target,
        safe_text=recipe.safe_text or safe_of(Path(recipe.start), card)[1],
    )


def _steps(recipe: Recipe, photos: int) -> int:
    """Steps in which `epochs` times the training photos are drawn.

    TRL's sampler leaves out a last batch that is not full, and the last step of its round over the
    photos may hold fewer batches than `accumulation`.
    """
    batches = photos // recipe.batch_size
    a_step = batches * recipe.batch_size / math.ceil(batches / recipe.accumulation)  # on average
    return max(1, round(recipe.epochs * photos / a_step))


def _slowed(recipe: Recipe) -> Recipe:
    """The recipe with the learning rates of this stage."""
    slowed = {
        name: replace(part, learning_rate=part.learning_rate * recipe.reward.rate)
        for name in ("tower", "projector", "llm")
        for part in [getattr(recipe, name)]
    }
    return replace(recipe, **slowed)


def _evaluations(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in history if any(name.startswith("eval_") for name in entry)]
