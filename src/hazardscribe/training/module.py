"""The model in training: a vision-language model and an alignment head, one forward pass."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from hazardscribe.model import composed
from hazardscribe.model.parts import image_token_id, modules_of, part_of
from hazardscribe.model.prompting import IGNORED
from hazardscribe.model.sequences import FirstSequence, first_sequence
from hazardscribe.model.text_bank import TextBank
from hazardscribe.objectives.alignment import (
    AlignmentHead,
    corpus_nll,
    in_batch_nll,
    sigmoid_nll,
    token_nll,
)
from hazardscribe.objectives.caption import caption_nll
from hazardscribe.objectives.sampled import draw_texts, sampled_corpus_nll
from hazardscribe.training.batches import Places
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.sharding import units

# Above so many distinct texts, the corpus likelihood is estimated from a sample each step: what the
# exact one takes of a step grows with them. benchmarks/sampled_bank.py measures both.
SAMPLED_ABOVE = 100_000
SAMPLED_TEXTS = 16_384

Precision = Literal["float32", "bfloat16"]


class TrainingModule(nn.Module):
    """Computes both losses of a batch; the tower runs once.

    Gradients: the caption loss reaches tower, projector and language model; the alignment loss
    reaches tower, projector and the alignment head.

    Args:
        vlm: any image-text-to-text model. head: alignment head, None: caption likelihood alone.
        bank: vectors of the training texts. recipe: precision of the parts, form of the alignment.
    """

    def __init__(
        self, vlm: Any, head: AlignmentHead | None, bank: TextBank | None, recipe: Recipe
    ) -> None:
        super().__init__()
        self.vlm, self.head, self.bank = vlm, head, bank
        self.image_token_id = image_token_id(vlm.config)
        self.encoder_precision: Precision = recipe.tower.compute
        self.llm_precision: Precision = recipe.llm.compute
        # Read once: on a GPU each look at it would hold up a step.
        self._shown = 0.0 if bank is None else float(bank.cumulative_counts[-1])
        share_above = recipe.alignment.share_above
        self.share_above = share_above if share_above < 1 else None
        self._tower = modules_of(vlm, "tower")
        self._fixed_tower = recipe.tower.tune == "freeze"
        self._word_dropout = recipe.word_dropout
        self._reads_by_parts = _can_read_by_parts(vlm, recipe)
        # On a GPU this takes longer than it spares (docs/performance.md), and blocks to which keys
        # and values are handed would each have to be compiled for themselves.
        pays = not torch.cuda.is_available() and not recipe.compile
        self._shares_prompt = self._reads_by_parts and pays
        text_config = vlm.config.get_text_config()
        blanks = (text_config.pad_token_id, text_config.eos_token_id)
        # what stands for a hidden token: any id that means nothing of its own
        self._blank_id = next((i for i in blanks if isinstance(i, int)), 0)
        self._no_split_modules = units(vlm)  # asked for by Accelerate's FSDP2
        # The same everywhere and as large as the corpus: DDP need not send it each step.
        self._ddp_params_and_buffers_to_ignore = [
            name for name, _ in self.named_buffers() if name.startswith("bank.")
        ]
        self._fixed_norm = recipe.tower_norm == "fixed"

    def train(self, mode: bool = True) -> TrainingModule:
        """As `nn.Module.train`, but what is frozen stays in evaluation mode.

        A frozen batch norm would otherwise move its statistics all the same.
        """
        super().train(mode)
        for module in self._tower:
            if self._fixed_tower or (
                self._fixed_norm and isinstance(module, nn.modules.batchnorm._BatchNorm)
            ):
                module.training = False
        return self

    def forward(
        self, batch: dict[str, Any], caption: bool = True, alignment: bool = True
    ) -> dict[str, torch.Tensor]:
        """Both losses as sums, in nats.

        Args:
            batch: the processor's inputs, `labels` `(B, L)` shifted, `bank_indices` `(B,)`, and
                their `places`, which are found here where they are missing.
            caption: whether to run the language model at all.
            alignment: whether to run the alignment head, where there is one.

        Returns:
            `caption` summed over supervised tokens and `alignment` summed over photos.
        """
        inputs = dict(batch)
        labels, bank_indices = inputs.pop("labels"), inputs.pop("bank_indices")
        places = inputs.pop("places", None)
        if places is None:
            places = Places.find(inputs["input_ids"], labels, self.image_token_id)
        with self._autocast(self.encoder_precision):
            sequence = first_sequence(self.vlm, inputs, places.counts)
        losses = {}
        if caption:
            losses["caption"] = self._caption(inputs, labels, sequence, places)
        if alignment and self.head is not None:
            losses["alignment"] = self._alignment(sequence, bank_indices)
        return losses

    def _caption(
        self,
        inputs: dict[str, Any],
        labels: torch.Tensor,
        sequence: FirstSequence,
        places: Places,
    ) -> torch.Tensor:
        rows, columns = places.supervised
        targets = labels[rows, columns]
        text_inputs = {
            name: value for name, value in inputs.items() if not name.startswith("pixel_")
        }
        if self.training and self._word_dropout:
            text_inputs["input_ids"] = self._hide_words(text_inputs["input_ids"], labels)
        with self._autocast(self.llm_precision):
            ids, start = text_inputs["input_ids"], places.photo
            if self._reads_by_parts and start is not None and composed.is_whole(self.vlm):
                shared = composed.shared_length(len(ids), start) if self._shares_prompt else 0
                states = composed.read(self.vlm, ids, sequence, start, shared)
                chosen = rows * states.shape[1] + columns - shared
                logits = self.vlm.lm_head(states.flatten(0, 1).index_select(0, chosen))
                return caption_nll(logits, targets)
            logits = self.vlm(
                **text_inputs,
                mm_encoder_outputs={"image": sequence.encoder_output},
                logits_to_keep=labels
                != IGNORED,  # the vocabulary's product only where it is needed
                use_cache=False,
            ).logits
        return caption_nll(logits, targets)

    def _hide_words(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Word dropout (Bowman et al. 2016, "Generating Sentences from a Continuous Space", 4.2).

        Only tokens of the description are hidden, each the label of the position before it.
        """
        supervised = labels != IGNORED
        own = torch.zeros_like(supervised)
        own[:, 1:] = supervised[:, :-1]
        chosen = torch.rand(ids.shape, device=ids.device) < self._word_dropout
        return ids.masked_fill(own & chosen, self._blank_id)

    def _alignment(self, sequence: FirstSequence, bank_indices: torch.Tensor) -> torch.Tensor:
        assert self.head is not None
        assert self.bank is not None
        head, bank = self.head, self.bank
        scale = head.scale()
        if head.form == "token":
            return token_nll(
                head.tokens(sequence.values),
                sequence.mask,
                bank.tokens[bank_indices],
                bank.token_mask[bank_indices],
                bank_indices,
                scale,
            )
        photos = head(sequence.values, sequence.mask)
        if head.form == "corpus" and len(bank) > SAMPLED_ABOVE:
            return sampled_corpus_nll(
                photos,
                bank.vectors,
                bank.log_counts,
                bank_indices,
                scale,
                draw_texts(bank.cumulative_counts, SAMPLED_TEXTS),
                self._shown,
                self.share_above,
            )
        if head.form == "corpus":
            return corpus_nll(
                photos, bank.vectors, bank.log_counts, bank_indices, scale, self.share_above
            )
        texts = bank.vectors[bank_indices]
        if head.form == "sigmoid":
            return sigmoid_nll(photos, texts, bank_indices, scale, head.bias)
        return in_batch_nll(photos, texts, bank_indices, scale)

    def _autocast(self, precision: Precision) -> torch.autocast:
        device = next(self.vlm.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")

    def parameter_groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Trained parameters by part, matrices with weight decay and vectors without."""
        rates = {
            "tower": recipe.tower.learning_rate,
            "projector": recipe.projector.learning_rate,
            "llm": recipe.llm.learning_rate,
            "head": recipe.alignment.learning_rate,
        }
        groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                part = "head" if name.startswith("head.") else part_of(name.removeprefix("vlm."))
                groups.setdefault((part, parameter.ndim >= 2), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": rates[part],
                "weight_decay": recipe.weight_decay if decays else 0.0,
                "part": part,
            }
            for (part, decays), parameters in groups.items()
        ]

    def optimizer(self, recipe: Recipe) -> torch.optim.AdamW:
        """AdamW over `parameter_groups`."""
        # Fused: one pass over the weights in place of several.
        groups = self.parameter_groups(recipe)
        return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


def _can_read_by_parts(vlm: Any, recipe: Recipe) -> bool:
    """Whether the language model may be run by itself, the text before the photo once a batch.

    With dropout each row would have to draw its own; recomputed activations keep no keys.
    """
    if not composed.is_composed(vlm) or recipe.activation_checkpointing:
        return False
    language_model = vlm.model.language_model
    drops = any(isinstance(one, nn.Dropout) and one.p > 0 for one in language_model.modules())
    return not drops and not getattr(language_model.config, "attention_dropout", 0)
