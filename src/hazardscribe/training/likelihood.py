"""The first stage: caption likelihood and alignment likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import load_card
from hazardscribe.objectives.alignment import AlignmentHead
from hazardscribe.processes import processes
from hazardscribe.training.bank import text_bank
from hazardscribe.training.batches import Collator, PairDataset
from hazardscribe.training.callbacks import StopOnSignal
from hazardscribe.training.compiled import compile_blocks
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.plots import plot_losses
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import run_of
from hazardscribe.training.session import Session
from hazardscribe.training.sharding import is_sharded, whole
from hazardscribe.training.trainer import DescriptionTrainer, training_arguments
from hazardscribe.training.tuning import find_unreached, freeze_unreached

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

_FIRST = 0.4  # of the steps; `benchmarks/plans/site-ppe-tuning.yaml` compares it with 0.65


class LikelihoodSession(Session):
    """Trains by the likelihood of the written descriptions."""

    def __init__(self, pairs: Pairs, recipe: Recipe, out: Path, progress: bool) -> None:
        super().__init__(pairs, recipe, out, progress)
        if fast := parts_at_full_rate(recipe):
            self._warn(
                f"the start, {recipe.start}, has learned before, and {', '.join(fast)} would "
                "go on at the full rate of that training: a model that did so forgot more than it "
                "learned (docs/corrections.md). Give a fifth of the learning rates, or begin with "
                "the model that its training began with."
            )
        self.module = self._module()
        self._set_activation_checkpointing()

    def _module(self) -> TrainingModule:
        recipe, options = self.recipe, self.recipe.alignment
        device = "cuda" if torch.cuda.is_available() else "cpu"
        texts = self.rows["train"].texts()
        self.bank = text_bank(recipe, texts, device) if options.weight > 0 else None
        head = self._head() if self.bank is not None else None
        return TrainingModule(self.vlm, head, self.bank, recipe).to(device)

    def _head(self) -> AlignmentHead:
        assert self.bank is not None
        options = self.recipe.alignment
        width = self.vlm.get_input_embeddings().weight.shape[1]
        return AlignmentHead(width, len(self.bank.mean), options.form, options.queries)

    def trainer(self, stop: StopOnSignal) -> DescriptionTrainer:
        """The training loop, ready to run."""
        recipe = self.recipe
        train_rows = self.rows["train"]
        index = self.bank.index if self.bank is not None else _no_bank
        dataset = PairDataset(
            train_rows.photos(),
            train_rows.texts(),
            self.cache,
            recipe.augmentation,
            recipe.seed,
        )
        pixels = torch.bfloat16 if recipe.tower.compute == "bfloat16" else torch.float32
        collator = Collator(self.prompter, recipe.max_text_tokens, index, pixels)
        device = next(self.module.parameters()).device
        # One at a time: a recipe may have found that two photos are too many for its GPU.
        ends = (collator([dataset[row, 0]])["batch"] for row in (0, len(dataset) - 1))
        probes = [{name: value.to(device) for name, value in end.items()} for end in ends]
        freeze_unreached(self.module, find_unreached(self.module, *probes))
        if recipe.compile:
            compile_blocks(self.vlm)

        batches = len(train_rows) / (recipe.batch_size * processes()[1])
        # A last batch of another size would be compiled for itself.
        whole_batches = recipe.compile and batches >= 1
        batches = math.floor(batches) if whole_batches else math.ceil(batches)
        an_epoch = math.ceil(batches / recipe.accumulation)
        steps = recipe.steps or max(1, round(recipe.epochs * an_epoch))
        trainer = DescriptionTrainer(
            model=self.module,
            args=training_arguments(recipe, self.out / "checkpoints", steps, whole_batches),
            train_dataset=dataset,
            eval_dataset=self.rows["dev"],
            data_collator=collator,
            recipe=recipe,
            lengths=self._lengths(),
        )
        self._surround(trainer, stop, trainer.first_steps)
        return trainer

    def _lengths(self) -> Sequence[int]:
        """Of the texts in tokens; where nothing is sorted by them, they need not be counted."""
        texts = self.rows["train"].texts()
        if self.recipe.bucket == 1:
            return range(len(texts))
        return [self.prompter.text_length(text) for text in texts]

    def _alignment(self) -> dict[str, Any]:
        head = self.module.head
        if head is not None and is_sharded(head):
            state = whole(head.state_dict())
            head = self._head()
            head.load_state_dict(state)
        return {"head": head, "bank": self.bank}

    def plot(self, history: list[dict[str, Any]], path: Path) -> None:
        """The losses, and the dev score under them."""
        plot_losses(history, path, self.recipe.best_by)


def _no_bank(text: str) -> int:
    """Row of a text where there is no bank; a lambda could not go to a worker that is spawned."""
    return 0


def parts_at_full_rate(recipe: Recipe) -> list[str]:
    """The parts that this likelihood training goes on with as fast as the one of its start.

    Told by the `run.json` beside the start. benchmarks/corrections.py measures full rates and a
    fifth of them, with parts that are trained in full; a half is taken as the bound.
    """
    former = run_of(Path(recipe.start)).get("recipe") or {}
    if former.get("stage") == "reward":
        return []
    return [
        part
        for part in ("tower", "llm")
        if (now := getattr(recipe, part)).tune == "full"
        and (then := former.get(part) or {}).get("tune") == "full"
        and now.learning_rate > 0.5 * then["learning_rate"]
    ]


def with_first_share(recipe: Recipe) -> Recipe:
    """The recipe with its `alignment.first_share`, where it names none.

    The alignment goes first where the encoder has yet to learn what a photo shows: where `init`
    composed the start, and its tower is trained. A model that describes already would only drift
    apart from its language model (docs/method.md has what is gained).

    Raises:
        InputError: if `later_weight` is named and there are no such first steps.
    """
    options = recipe.alignment
    if options.first_share is not None:
        return recipe
    card = load_card(Path(recipe.start))
    composed = card.tower is not None and card.start is None
    first = composed and recipe.tower.tune != "freeze" and options.weight > 0
    if not first and options.later_weight is not None:
        raise InputError(
            "recipe: alignment.later_weight: weighs the alignment after steps that are its alone, "
            "and by default this run has none: they are for a start that `init` composed, with a "
            "tower that is trained. Leave later_weight out, or set alignment.first_share."
        )
    return replace(recipe, alignment=replace(options, first_share=_FIRST if first else 0.0))
