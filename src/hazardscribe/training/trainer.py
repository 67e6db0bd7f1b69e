"""The training loop: transformers' Trainer with our losses, parameter groups and evaluation."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import rotate_checkpoints

from hazardscribe.errors import TrainingDivergedError
from hazardscribe.files import new_folder
from hazardscribe.training.batches import BucketSampler
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Recipe

PARTIAL = ".saving"
WEIGHTS = "model.safetensors"


class DescriptionTrainer(Trainer):
    """Trainer for a `TrainingModule`.

    Args:
        recipe: the recipe. lengths: text length of each training pair, for bucketing.
        dev_scores: generates on `dev` and returns scores by name; they are logged as `eval_*`.
        keep_best: called when `eval_<best_by>` is the best so far.
    """

    def __init__(
        self,
        *args: Any,
        recipe: Recipe,
        lengths: Sequence[int],
        dev_scores: Callable[[], dict[str, float]],
        keep_best: Callable[[dict[str, float]], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._recipe, self._lengths = recipe, lengths
        self._dev_scores, self._keep_best = dev_scores, keep_best
        # compute_loss divides by what the whole optimizer step holds; the Trainer must not again.
        self.loss_is_scaled_for_ga = True
        self._parts: dict[str, torch.Tensor] = {}
        self._parts_since = 0
        self._checkpoint_folder: Path | None = None

    @property
    def _module(self) -> TrainingModule:
        return cast(TrainingModule, self.model)

    @property
    def _folder(self) -> Path:
        """Where resumable checkpoints lie."""
        return Path(cast(str, self.args.output_dir))

    @property
    def first_steps(self) -> int:
        """Steps at the start in which the language model is left out."""
        return first_steps(self._recipe, self.args.max_steps)

    # ---- batches and losses -----------------------------------------------------------------

    def _get_train_sampler(self, train_dataset: Any = None) -> BucketSampler:
        batch = self._recipe.batch_size * self._recipe.accumulation * self.args.world_size
        return BucketSampler(self._lengths, batch, self._recipe.seed, self._recipe.bucket)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> torch.Tensor:
        """Supervised tokens and photos of the whole optimizer step, over all devices: `(2,)`."""
        batches = [sample["batch"] for sample in batch_samples]
        tokens = sum(int((batch["labels"] != -100).sum()) for batch in batches)
        photos = sum(len(batch["labels"]) for batch in batches)
        counts = torch.tensor([tokens, photos], dtype=torch.int64, device=device)
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
        if not torch.isfinite(total):
            raise TrainingDivergedError(self._diverged("loss"))
        # Distributed training averages gradients over devices; ours are already a global mean.
        world = self.args.world_size
        for name, value in losses.items():
            self._parts[name] = self._parts.get(name, 0) + value.detach() * world
        return (total * world, sums) if return_outputs else total * world

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        if not torch.isfinite(torch.as_tensor(norm)):
            raise TrainingDivergedError(self._diverged("gradient"))
        return norm

    def _diverged(self, what: str) -> str:
        return (
            f"the {what} is not a finite number at step {self.state.global_step + 1}; training "
            "stopped before the weights were changed, and the best model and the last checkpoint "
            "are as they were. Lower the learning rates, raise warmup, or set compute: float32, "
            "and start again in another folder with --out."
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW over the module's own parameter groups."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                self._module.parameter_groups(self._recipe), betas=(0.9, 0.95), eps=1e-8
            )
        return self.optimizer

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the single losses since the last line."""
        steps = self.state.global_step - self._parts_since
        if "loss" in logs and self._parts and steps > 0:
            for name, value in self._parts.items():
                mean = self.accelerator.gather(value.reshape(1)).mean().item() / steps
                logs[f"{name}_loss"] = mean
            self._parts, self._parts_since = {}, self.state.global_step
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted here: the Trainer's estimate does not know the tower."""
        return 0

    # ---- evaluation -------------------------------------------------------------------------

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Generate descriptions of `dev` and score them."""
        was_training = self._module.training
        self._module.eval()
        # Generation must not consume the training's chance, or a resumed run would differ.
        with torch.random.fork_rng():
            scores = {f"eval_{name}": value for name, value in self._dev_scores().items()}
        self._module.train(was_training)
        self.log(scores)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, scores
        )
        return scores

    def evaluate_and_keep(self) -> None:
        """Evaluate outside the loop's own rhythm, and keep the weights if they are the best."""
        self._determine_best_metric(self.evaluate(), None)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        is_best: bool = super()._determine_best_metric(metrics, trial)
        if is_best and self.args.should_save:
            self._keep_best(metrics)
        return is_best

    # ---- resumable checkpoints --------------------------------------------------------------

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._checkpoint_folder or self._folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write under another name first: a kill in the middle leaves no half checkpoint."""
        target = self._folder / f"checkpoint-{self.state.global_step}"
        if target.exists():
            return
        with self._saving() as folder, new_folder_on_main(self, target) as final:
            self._checkpoint_folder = folder
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if final is not None:
                # The Trainer noted the temporary folder, which a resumed run would miss.
                self.state.best_model_checkpoint = None
                self.state.save_to_json(str(folder / target.name / "trainer_state.json"))
                for path in (folder / target.name).iterdir():
                    path.rename(final / path.name)
        if self.args.should_save:
            rotate_checkpoints(str(self._folder), self._recipe.keep, use_mtime=False)

    @contextlib.contextmanager
    def _saving(self) -> Iterator[Path]:
        folder = self._folder / PARTIAL
        if self.args.should_save:
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            yield folder
        finally:
            self._checkpoint_folder = None
            if self.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what training changes: the rest comes from the start checkpoint on resuming."""
        if not self.args.should_save:
            return
        folder = Path(output_dir) if output_dir else self._folder
        folder.mkdir(parents=True, exist_ok=True)
        trained = trained_tensors(self.model)
        contiguous = {name: tensor.contiguous() for name, tensor in trained.items()}
        safetensors.torch.save_file(contiguous, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        stored = safetensors.torch.load_file(Path(resume_from_checkpoint) / WEIGHTS)
        own = trained_tensors(self.model)
        if stored.keys() != own.keys():
            differing = sorted(stored.keys() ^ own.keys())
            raise ValueError(
                f"{resume_from_checkpoint}: holds other weights than this recipe trains "
                f"({len(differing)} differ, first {differing[0]}). Resume with the same recipe."
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(stored[name])


def first_steps(recipe: Recipe, steps: int) -> int:
    """How many of `steps` train by the alignment alone."""
    return round(recipe.alignment.first_share * steps)


@contextlib.contextmanager
def new_folder_on_main(trainer: Trainer, target: Path) -> Iterator[Path | None]:
    """`new_folder` on the process that saves; the others only wait."""
    if not trainer.args.should_save:
        yield None
        return
    with new_folder(target) as folder:
        yield folder


def trained_tensors(module: Any) -> dict[str, torch.Tensor]:
    """Trained parameters and persistent buffers (batch-norm statistics), tied ones once."""
    names = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    buffers = {name for name, _ in module.named_buffers()}
    state = module.state_dict()
    return {name: state[name] for name in state if name in names or name in buffers}


def training_arguments(recipe: Recipe, folder: Path, steps: int) -> Any:
    """The Trainer's arguments for a recipe.

    Args:
        folder: where resumable checkpoints go. steps: optimizer steps in all.
    """
    every = recipe.evaluate_every or steps
    schedules = {
        "cosine": "cosine",
        "linear": "linear",
        "constant": "constant_with_warmup",
    }
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        lr_scheduler_type=schedules[recipe.schedule],
        warmup_steps=round(recipe.warmup * steps),
        max_grad_norm=recipe.max_grad_norm,
        eval_strategy="steps",
        eval_steps=every,
        metric_for_best_model=recipe.best_by,
        greater_is_better=True,
        save_strategy="steps",
        save_steps=recipe.save_every or every,
        save_total_limit=None,  # pruned after the rename, see _save_checkpoint
        logging_steps=max(1, min(10, steps // 20)),
        logging_nan_inf_filter=False,  # a loss that is no number stops the run instead
        report_to=recipe.report_to or "none",
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        # Without this, several processes on CPUs would each train a model of their own.
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        label_names=[],
        seed=recipe.seed,
        disable_tqdm=True,  # our own bar, see callbacks.Progress
        average_tokens_across_devices=False,
        # The language model is left out of the first steps, so its gradients are missing then.
        ddp_find_unused_parameters=recipe.alignment.first_share > 0,
    )
