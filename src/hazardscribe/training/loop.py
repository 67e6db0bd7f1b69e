"""What every training loop of ours does beside the steps.

It stops when the loss is no longer a number, evaluates on `dev` by generated text, keeps the best
weights, and saves checkpoints from which a run goes on.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import safetensors.torch
import torch
from transformers import Trainer
from transformers.trainer_utils import rotate_checkpoints

from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.files import new_folder
from hazardscribe.training.checkpoints import PARTIAL, seal
from hazardscribe.training.sharding import distribute_optimizer, put, whole

WEIGHTS, OPTIMIZER, SCHEDULER = "model.safetensors", "optimizer.pt", "scheduler.pt"

if TYPE_CHECKING:  # a mix-in for any subclass of Trainer; to the type checker it is one
    _Base = Trainer
else:
    _Base = object


class Loop(_Base):
    """Mix-in for a Trainer; put it in front of the trainer's class and call `keep_by`."""

    _checkpoint_folder: Path | None = None

    def keep_by(
        self,
        dev_scores: Callable[[], dict[str, float]],
        keep_best: Callable[[dict[str, float]], None],
        keep: int,
    ) -> None:
        """Say how to evaluate and what to keep.

        Args:
            dev_scores: generates on `dev` and returns scores by name; they are logged as `eval_*`.
            keep_best: called when `eval_<best_by>` is the best so far.
            keep: resumable checkpoints kept.
        """
        self._dev_scores, self._keep_best, self._keep = dev_scores, keep_best, keep

    @property
    def _folder(self) -> Path:
        """Where resumable checkpoints lie."""
        return Path(cast(str, self.args.output_dir))

    # ---- numbers ----------------------------------------------------------------------------

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        # One look at all of them: a GPU that is looked at holds up what is to be given to it next.
        losses = self.losses_of_step()
        seen = torch.stack([torch.as_tensor(norm), *losses]) if losses else torch.as_tensor(norm)
        if not torch.isfinite(seen).all():
            sound = all(bool(torch.isfinite(loss)) for loss in losses)
            raise self.diverged("gradient" if sound else "loss")
        return norm

    def losses_of_step(self) -> list[torch.Tensor]:
        """Losses of the step under way, `()` each, that must be numbers as its gradient must."""
        return []

    def diverged(self, what: str) -> TrainingDivergedError:
        """The error that says which number is none, and what to do."""
        return TrainingDivergedError(
            f"the {what} is not a finite number at step {self.state.global_step + 1}; training "
            "stopped before the weights were changed, and the best model and the last checkpoint "
            "are as they were. Lower the learning rates, raise warmup, or set compute: float32, "
            "and start again in another folder with --out."
        )

    # ---- epochs -----------------------------------------------------------------------------

    def make_sampler(self) -> Any:
        """The order of the training rows, with a `set_epoch` upon which alone it depends."""
        raise NotImplementedError

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        self._sampler = self.make_sampler()
        return self._sampler

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Nothing after the last step: the Trainer looks only once it has taken one more.

        Nor where an evaluation before the first step of a resumed run says that it is to stop.
        """
        if self.state.global_step < self.state.max_steps and not self.control.should_training_stop:
            # Of a resumed run with several processes, a sampler lies deeper than the Trainer looks.
            self._sampler.set_epoch(kwargs["epoch"])
            super()._run_epoch(*args, **kwargs)

    # ---- evaluation -------------------------------------------------------------------------

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Generate descriptions of `dev` and score them."""
        model: Any = self.model
        was_training = model.training
        model.eval()
        # Generation must not consume the training's chance, or a resumed run would differ.
        with torch.random.fork_rng():
            scores = {f"eval_{name}": value for name, value in self._dev_scores().items()}
        self.log(scores)  # before the mode changes: TRL's trainers tell by it what they log
        model.train(was_training)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, scores
        )
        return scores

    def evaluate_and_keep(self) -> None:
        """Evaluate outside the loop's own rhythm, and keep the weights if they are the best."""
        self._determine_best_metric(self.evaluate(), None)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        is_best: bool = super()._determine_best_metric(metrics, trial)
        if is_best:
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
        new = new_folder(target) if self.args.should_save else contextlib.nullcontext()
        with self._saving() as folder, new as final:
            self._checkpoint_folder = folder
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if final is not None:
                # The Trainer noted the temporary folder, which a resumed run would miss.
                self.state.best_model_checkpoint = None
                self.state.save_to_json(str(folder / target.name / "trainer_state.json"))
                for path in (folder / target.name).iterdir():
                    path.rename(final / path.name)
                seal(final)
        if self.args.should_save:
            rotate_checkpoints(str(self._folder), self._keep, use_mtime=False)

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

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """One file however many processes hold the weights; all of them must call this."""
        self._save(output_dir)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what training changes: the rest comes from the start checkpoint on resuming."""
        trained = whole(trained_tensors(self.model), keep=self.args.should_save)
        if not self.args.should_save:
            return
        folder = Path(output_dir) if output_dir else self._folder
        folder.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.contiguous() for name, tensor in trained.items()}
        safetensors.torch.save_file(contiguous, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        stored = safetensors.torch.load_file(Path(resume_from_checkpoint) / WEIGHTS)
        own = trained_tensors(self.model)
        if stored.keys() != own.keys():
            differing = sorted(stored.keys() ^ own.keys())
            raise InputError(
                f"{resume_from_checkpoint}: holds other weights than this recipe trains "
                f"({len(differing)} differ, first {differing[0]}). Resume with the same recipe."
            )
        with torch.no_grad():
            for name, tensor in own.items():
                put(tensor, stored[name])

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """As torch writes them in one process, whoever holds the optimizer's state."""
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        state = whole(self.optimizer.state_dict(), keep=self.args.should_save)
        if self.args.should_save:
            torch.save(state, Path(output_dir) / OPTIMIZER)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        state, schedule = (
            torch.load(Path(checkpoint) / name, map_location="cpu", weights_only=True)
            for name in (OPTIMIZER, SCHEDULER)
        )
        self.optimizer.load_state_dict(distribute_optimizer(state, self.optimizer))
        self.lr_scheduler.load_state_dict(schedule)


def trained_tensors(module: Any) -> dict[str, torch.Tensor]:
    """Trained parameters and persistent buffers (batch-norm statistics), tied ones once."""
    names = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    buffers = {name for name, _ in module.named_buffers()}
    state = module.state_dict()
    return {name: state[name] for name in state if name in names or name in buffers}
