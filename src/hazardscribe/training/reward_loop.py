"""TRL's trainers for our models: the few hooks in which photos, prompts and log-probabilities pass.

TRL templates chats and loads images in its own way. Here a prompt is the number of a photo;
`Sampling` makes of it what training by likelihood and describing make, draws the descriptions and
scores their tokens. Advantages, clipping, KL and the loss are TRL's.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hazardscribe.training.loop import Loop
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.rewards import RewardPart
from hazardscribe.training.sampling import Sampling, settle
from hazardscribe.training.trainer import trainer_settings, use_one_gpu


class Reference:
    """The start model: a frozen copy, or the model itself with its adapters switched off.

    Args:
        vlm: the model in training. copy: loaded from the start again; None where all that is
            trained are adapters.
    """

    def __init__(self, vlm: nn.Module, copy: nn.Module | None) -> None:
        self._vlm, self._copy = vlm, copy

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The start model, for as long as the context lasts."""
        if self._copy is not None:
            yield self._copy
            return
        from peft.tuners.lora import LoraLayer

        layers = [module for module in self._vlm.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            layer._disable_adapters = True
        try:
            yield self._vlm
        finally:
            for layer in layers:
                layer._disable_adapters = False


def make_trainer(
    module: TrainingModule,
    processor: Any,
    sampling: Sampling,
    reference: Reference,
    parts: list[RewardPart],
    recipe: Recipe,
    folder: Path,
    *,
    photos: int,
    steps: int,
) -> Any:
    """TRL's trainer of the recipe over our hooks; `keep_by` is left to call.

    Args:
        module: holds the model; for its parameter groups. folder: of resumable checkpoints.
        photos: number of training photos. steps: optimizer steps in all.
    """
    import datasets
    import trl

    options = recipe.reward
    names = [str(photo) for photo in range(photos)]
    config_class: Any = getattr(trl, f"{options.trainer.upper()}Config")
    build = _trainer_class(module, sampling, reference, recipe, names)
    dataset = datasets.Dataset.from_dict({"prompt": names, "photo": list(range(photos))})
    per_pass = recipe.batch_size * options.samples
    settings = trainer_settings(recipe, folder, steps) | {
        "per_device_train_batch_size": per_pass,
        "per_device_eval_batch_size": options.samples,
        "steps_per_generation": 1,  # no forward pass holds more than one batch, accumulated or not
        "num_generations": options.samples,
        "max_completion_length": recipe.max_text_tokens,
        "temperature": sampling.temperature,
        "reward_weights": [part.weight for part in parts],
        "beta": 0.0,  # or TRL would load a second model in its own way
        "disable_dropout": True,
        "gradient_checkpointing": False,
        "bf16": False,  # precision is per part, see Sampling
    }
    with quiet_about_names():
        arguments = config_class(**settings)
        use_one_gpu(arguments)
        trainer = build(
            model=module.vlm,
            reward_funcs=list(parts),
            args=arguments,
            train_dataset=dataset,
            eval_dataset=dataset,  # never drawn from: `Loop.evaluate` describes dev
            processing_class=processor,
        )
    trainer.beta, trainer.ref_model = options.beta, reference
    trainer.eos_token_ids = sampling.prompter.stops
    return trainer


def _trainer_class(
    module: TrainingModule,
    sampling: Sampling,
    reference: Reference,
    recipe: Recipe,
    names: list[str],
) -> Any:
    """The recipe's trainer of TRL with our draws, log-probabilities, optimizer and order."""
    import trl
    from trl.trainer.utils import RepeatSampler

    options = recipe.reward
    vlm: Any = module.vlm
    trainer_class: Any = getattr(trl, f"{options.trainer.upper()}Trainer")

    class PhotoSampler(RepeatSampler):
        """As TRL's, but its order depends on seed and epoch alone, so that a run can resume."""

        def set_epoch(self, epoch: int) -> None:
            self.generator.manual_seed(1_000_003 * recipe.seed + epoch)

    class RewardTrainer(Loop, trainer_class):  # type: ignore[valid-type,misc]
        def make_sampler(self) -> PhotoSampler:
            return PhotoSampler(
                names,
                mini_repeat_count=self.num_generations,
                batch_size=recipe.batch_size,
                seed=recipe.seed,
            )

        def _prepare_inputs(self, batch: Any) -> Any:
            settle(vlm)
            return super()._prepare_inputs(batch)

        def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict]:
            self._rows = torch.tensor([int(prompt) for prompt in prompts])
            return sampling.prompt_ids(self._rows), None, {}

        def _generate_single_turn(self, *_: Any, **__: Any) -> Any:
            vlm.eval()  # a model that recomputes activations would not keep its cache
            drawn = sampling.draw(vlm, self._rows)
            vlm.train()
            settle(vlm)
            return drawn if options.trainer == "rloo" else (drawn, None)

        def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
            return output | {"rows": self._rows.to(self.accelerator.device)}

        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
            self._rows = inputs["rows"]
            loss: torch.Tensor = super()._compute_loss(model, inputs)
            if not torch.isfinite(loss):
                raise self.diverged("loss")
            return loss

        def _get_per_token_logps_and_entropies(
            self,
            model: Any,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            logits_to_keep: int,
            *_: Any,
            **__: Any,
        ) -> tuple[torch.Tensor, torch.Tensor, None]:
            arguments = (self._rows, input_ids, attention_mask, logits_to_keep)
            if model is self.ref_model:
                with reference.use() as start:
                    return (*sampling.log_probs(start, *arguments), None)
            return (*sampling.log_probs(vlm, *arguments), None)

        def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
            if self.optimizer is None:
                self.optimizer = module.optimizer(recipe)
            return self.optimizer

        def train(self, *arguments: Any, **options: Any) -> Any:
            with quiet_about_names():
                return super().train(*arguments, **options)

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """TRL would write one among the checkpoints."""

        def _send_telemetry(self) -> None:
            """Nothing leaves the host."""

    return RewardTrainer


@contextmanager
def quiet_about_names() -> Iterator[None]:
    """TRL still uses transformers' former name for recomputed activations, at every step."""
    with warnings.catch_warnings():
        former = ".*gradient_checkpointing.* is deprecated"
        warnings.filterwarnings("ignore", message=former, category=FutureWarning)
        yield
