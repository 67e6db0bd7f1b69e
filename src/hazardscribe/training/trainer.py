"""The training loop: transformers' Trainer with our losses, parameter groups and evaluation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from hazardscribe.training.batches import BucketSampler
from hazardscribe.training.faults import NoMemoryError, out_of_memory
from hazardscribe.training.loop import Loop
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.sharding import open_methods

logger = logging.getLogger(__name__)


class DescriptionTrainer(Loop, Trainer):
    """Trainer for a `TrainingModule`.

    Args:
        recipe: the recipe. lengths: text length of each training pair, for bucketing.
    """

    def __init__(self, *args: Any, recipe: Recipe, lengths: Sequence[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recipe, self._lengths = recipe, lengths
        # compute_loss divides by what the whole optimizer step holds; the Trainer must not again.
        self.loss_is_scaled_for_ga = True
        self._tried: int | None = None  # photos a forward pass that memory was tried for
        self._rehearsed: int | None = None
        # By loss and step since the last line: not every loss is had in every step.
        self._parts: dict[str, dict[int, torch.Tensor]] = {}

    @property
    def _module(self) -> TrainingModule:
        return cast(TrainingModule, self.model)

    @property
    def first_steps(self) -> int:
        """Steps at the start that train by the alignment alone, without the language model."""
        return round((self._recipe.alignment.first_share or 0) * self.args.max_steps)

    # ---- memory -----------------------------------------------------------------------------

    def _inner_training_loop(self, batch_size: int | None = None, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's batch finder calls this again with less after running out of memory.

        Less is taken so that it divides what a step sees, and accumulation makes up for it. Only
        before the first step: later the weights are no longer those that a fresh start has.
        """
        self._parts = {}  # a pass that ran out of memory may have left its loss
        if self._recipe.find_batch_size and batch_size is not None:
            batch_size = self._fit_batch(batch_size)
        try:
            return super()._inner_training_loop(batch_size, *args, **kwargs)
        except RuntimeError as error:
            learned = self.state.global_step > self._initial_global_step
            if out_of_memory(error) and (learned or batch_size == 1):
                raise NoMemoryError(batch_size) from error
            raise

    def _fit_batch(self, most: int) -> int:
        photos = self._recipe.batch_size * self._recipe.accumulation
        if self._tried is not None:
            most = min(most, self._tried - 1)
        size = next(size for size in range(most, 0, -1) if photos % size == 0)
        if self._tried is not None:
            logger.warning(
                "out of memory with %d photos a forward pass: trying %d, accumulated %d times, so "
                "that a step still sees %d",
                *(self._tried, size, photos // size, photos),
            )
            if self._recipe.alignment.contrasts_batch:
                logger.warning(
                    "alignment.form %s contrasts the %d photos of a forward pass, not those of a "
                    "step; form corpus does not depend on them",
                    *(self._recipe.alignment.form, size),
                )
        self._tried = size
        self.args.gradient_accumulation_steps = photos // size
        return size

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the Trainer's; while a batch is looked for that fits, all that steps need is tried."""
        if self._recipe.find_batch_size and self._rehearsed != self._tried:
            prepared: Any = self._prepare_inputs(inputs)
            self._rehearse(model, prepared["batch"])
            self._rehearsed = self._tried
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        return loss

    def _rehearse(self, model: Any, batch: dict[str, Any]) -> None:
        """Take at once the memory that a later step will, and leave no other trace.

        The first step has no moments of AdamW yet, and with `first_share` no language model: what
        fits it need not fit those that follow, in which nothing can be found any more.
        """
        assert self.optimizer is not None
        trained = [one for one in model.parameters() if one.requires_grad]
        fresh = [one for one in trained if not self.optimizer.state.get(one)]
        moments = [torch.empty_like(one) for one in fresh for _ in range(2)]
        if self.args.gradient_accumulation_steps > 1:  # those of the passes before
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter)
        model.train()
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.training = False  # `model.train` lets its statistics move again
        with torch.random.fork_rng():
            torch.stack([*model(batch).values()]).sum().backward()
        model.zero_grad()
        del moments

    # ---- batches and losses -----------------------------------------------------------------

    def make_sampler(self) -> BucketSampler:
        """Pairs in chance order, or in buckets of like length."""
        batch = self._recipe.batch_size * self._recipe.accumulation * self.args.world_size
        return BucketSampler(self._lengths, batch, self._recipe.seed, self._recipe.bucket)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> torch.Tensor:
        """Supervised tokens and photos of the whole optimizer step, over all devices: `(2,)`."""
        batches = [sample["batch"] for sample in batch_samples]
        tokens = sum(batch["places"].supervised.shape[1] for batch in batches)
        photos = sum(len(batch["labels"]) for batch in batches)
        # Pinned, they go to a GPU without waiting for what it has yet to do of the step before.
        pinned = torch.device(device).type == "cuda"
        counts = torch.tensor([tokens, photos], dtype=torch.int64, pin_memory=pinned)
        counts = counts.to(device, non_blocking=pinned)
        if self.args.world_size > 1:
            counts = self.accelerator.reduce(counts, reduction="sum")
        return counts

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Caption loss a token plus weighted alignment loss a photo, over the whole step."""
        options = self._recipe.alignment
        joint = self.state.global_step >= self.first_steps
        weight = options.joint_weight if joint else options.weight
        sums = model(inputs["batch"], caption=joint, alignment=weight > 0)
        tokens, photos = num_items_in_batch.float()
        counts = {"caption": tokens, "alignment": photos}
        weights = {"caption": 1.0, "alignment": weight}
        losses = {name: value / counts[name] for name, value in sums.items()}
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        world = self.args.world_size
        # Distributed training averages gradients over devices; ours are already a global mean.
        step = self.state.global_step
        for name, value in losses.items():
            of_steps = self._parts.setdefault(name, {})
            of_steps[step] = of_steps.get(step, 0) + value.detach() * world
        return (total * world, sums) if return_outputs else total * world

    def losses_of_step(self) -> list[torch.Tensor]:
        """See `Loop`."""
        # Of several processes all must stop at once: there the gradient tells, which they share.
        step = self.state.global_step
        own = [of_steps[step] for of_steps in self._parts.values() if step in of_steps]
        return own if self.args.world_size == 1 else []

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The module's own."""
        if self.optimizer is None:
            self.optimizer = self._module.optimizer(self._recipe)
        return self.optimizer

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        open_methods(self._module.vlm)  # where Accelerate has just sharded it
        return prepared

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the single losses since the last line, each over the steps it was in."""
        if "loss" in logs:
            for name, of_steps in self._parts.items():
                mean = torch.stack([*of_steps.values()]).mean()
                logs[f"{name}_loss"] = self.accelerator.gather(mean.reshape(1)).mean().item()
            self._parts = {}
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted here: the Trainer's estimate does not know the tower."""
        return 0


def training_arguments(
    recipe: Recipe, folder: Path, steps: int, whole_batches: bool = False
) -> TrainingArguments:
    """The Trainer's arguments for a recipe; see `trainer_settings`.

    Args:
        whole_batches: whether photos that are left over at an epoch's end, too few for a batch,
            wait for the next one.
    """
    arguments = TrainingArguments(
        **trainer_settings(recipe, folder, steps),
        dataloader_drop_last=whole_batches,
        # The language model is left out of the first steps, so its gradients are missing then.
        ddp_find_unused_parameters=(recipe.alignment.first_share or 0) > 0,
    )
    use_one_gpu(arguments)
    return arguments


def use_one_gpu(arguments: Any) -> None:
    """Keep the Trainer from sharing each batch out over all GPUs that one process sees.

    Its way (DataParallel) makes copies of the model without parameters of their own and multiplies
    the batch; several GPUs are used by as many processes.

    Args:
        arguments: transformers' TrainingArguments or what derives from it, changed in place.
    """
    if arguments.n_gpu > 1:
        logger.warning(
            "one process trains on one GPU: %d of the %d here stay idle. docs/scaling.md tells how "
            "several processes share a run; CUDA_VISIBLE_DEVICES chooses the GPU",
            arguments.n_gpu - 1,
            arguments.n_gpu,
        )
        arguments._n_gpu = 1


def trainer_settings(recipe: Recipe, folder: Path, steps: int) -> dict[str, Any]:
    """What any of our loops is told, by the names of transformers' TrainingArguments.

    Args:
        folder: where resumable checkpoints go. steps: optimizer steps in all.
    """
    every, schedule = recipe.evaluate_every or steps, recipe.schedule
    return {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.accumulation,
        "auto_find_batch_size": recipe.find_batch_size,
        "lr_scheduler_type": {"constant": "constant_with_warmup"}.get(schedule, schedule),
        "warmup_steps": round(recipe.warmup * steps),
        "max_grad_norm": recipe.max_grad_norm,
        "eval_strategy": "steps",
        "eval_steps": every,
        "metric_for_best_model": recipe.best_by,
        "greater_is_better": True,
        "save_strategy": "steps",
        "save_steps": recipe.save_every or every,
        "save_total_limit": None,  # pruned after the rename, see _save_checkpoint
        "logging_steps": max(1, min(10, steps // 20)),
        "logging_nan_inf_filter": False,  # a loss that is no number stops the run instead
        "report_to": recipe.report_to or "none",
        "dataloader_num_workers": recipe.workers,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "accelerator_config": {"non_blocking": torch.cuda.is_available()},
        # Without this, several processes on CPUs would each train a model of their own.
        "use_cpu": not torch.cuda.is_available(),
        "remove_unused_columns": False,
        "label_names": [],
        "seed": recipe.seed,
        "disable_tqdm": True,  # our own bar, see callbacks.Progress
        "average_tokens_across_devices": False,
    }
