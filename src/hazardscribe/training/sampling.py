"""Descriptions by chance, and how probable each is: the two things a policy gradient needs.

Photos take the same way as in training and describing (pixel cache, `Prompter`), and the tower runs
once a photo however many descriptions it gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from hazardscribe.model.attention import growing_text_kernels
from hazardscribe.model.parts import image_token_id
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import first_sequence
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.training.recipe import Recipe

TEMPERATURES = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2)
CALM = 0.5
_TRIAL_PHOTOS, _TRIAL_DRAWS = 16, 4


class Sampling:
    """Draws and scores descriptions of training photos, known by their number.

    Args:
        prompter, cache: as in training by likelihood. photos: the training photos.
        recipe: precision of the parts, temperature, longest description.
    """

    def __init__(
        self, prompter: Prompter, cache: PixelCache, photos: Sequence[str], recipe: Recipe
    ) -> None:
        self.prompter, self._cache, self._photos = prompter, cache, photos
        self.temperature = recipe.reward.temperature or 1.0
        self._most = recipe.max_text_tokens
        self._tower_precision, self._llm_precision = recipe.tower.compute, recipe.llm.compute
        self._last: tuple[tuple[int, ...], dict[str, torch.Tensor]] = ((), {})

    def prompt_ids(self, rows: torch.Tensor) -> list[list[int]]:
        """Token ids of each row's prompt, placeholders included, without padding."""
        distinct, _, _ = _groups(rows)
        inputs = self._inputs(distinct, torch.device("cpu"))
        ids = {
            photo: line[mask.bool()].tolist()
            for photo, line, mask in zip(
                distinct, inputs["input_ids"], inputs["attention_mask"], strict=True
            )
        }
        return [ids[photo] for photo in rows.tolist()]

    @torch.no_grad()
    def draw(self, vlm: Any, rows: torch.Tensor) -> list[list[int]]:
        """One description a row, as token ids up to and with the end token.

        Args:
            rows: `(B,)` numbers of photos, each the same number of times, in any order.
        """
        distinct, order, times = _groups(rows)
        inputs = self._inputs(distinct, vlm.device)
        # `log_probs` knows of nothing else; `load_checkpoint` left a checkpoint's own
        # `repetition_penalty`, `min_p` and so on behind, which would be added to these.
        settings = GenerationConfig(
            do_sample=True,
            temperature=self.temperature,
            top_k=0,
            top_p=1.0,
            num_return_sequences=times,
            max_new_tokens=self._most,
            suppress_tokens=_suppressed(vlm),
            eos_token_id=self.prompter.stops,
            pad_token_id=self.prompter.pad_id,
        )
        with self._autocast(vlm, self._tower_precision):  # part by part, as `log_probs` does
            images = first_sequence(vlm, inputs).encoder_output
        inputs = {name: one for name, one in inputs.items() if not name.startswith("pixel_")}
        with self._autocast(vlm, self._llm_precision), growing_text_kernels(vlm.device):
            output = vlm.generate(
                **inputs, mm_encoder_outputs={"image": images}, generation_config=settings
            )
        drawn = output[:, inputs["input_ids"].shape[1] :].tolist()
        texts: list[list[int]] = [[]] * len(rows)
        for place, ids in zip(order.tolist(), drawn, strict=True):
            texts[place] = self._until_end(ids)
        return texts

    def log_probs(
        self,
        vlm: Any,
        rows: torch.Tensor,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        width: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability of each drawn token under the distribution that it was drawn from.

        The gradient reaches tower, projector and language model.

        Args:
            rows: `(B,)` numbers of photos, each the same number of times, in any order.
            input_ids: `(B, L)` prompts, padded on the left, then descriptions, on the right.
            attention_mask: `(B, L)`. width: the descriptions' columns, C.

        Returns:
            Log-probabilities and entropies in nats, `(B, C)`; 0 at padding.
        """
        distinct, order, times = _groups(rows)
        order = order.to(input_ids.device)
        texts, attended = input_ids[order, -width:], attention_mask[order]
        inputs = self._inputs(distinct, input_ids.device)
        with self._autocast(vlm, self._tower_precision):
            output = first_sequence(vlm, inputs).encoder_output
        with self._autocast(vlm, self._llm_precision):
            if _only_whole(vlm):
                logits, places = _whole(vlm, inputs, output, texts, attended, times)
            else:
                logits, places = _from_prompts(vlm, inputs, output, texts, attended, times)
        logits = logits.float() / self.temperature
        logits[:, _suppressed(vlm)] = torch.finfo(logits.dtype).min
        log_p = torch.log_softmax(logits, dim=-1)
        counted = places >= 0
        tokens = torch.zeros(len(logits), dtype=texts.dtype, device=texts.device)
        tokens[places[counted]] = texts[counted]
        chosen = log_p.gather(1, tokens[:, None])[:, 0]
        with torch.no_grad():
            entropy = -(log_p.exp() * log_p).sum(-1)
        back = torch.argsort(order)
        found, entropies = (
            values[places.clamp(min=0)].masked_fill(~counted, 0.0)[back]
            for values in (chosen, entropy)
        )
        return found, entropies

    def calm_down(self, vlm: Any, seed: int) -> None:
        """Set the highest temperature at which draws hold at most `CALM` nats a token.

        Args:
            seed: of the trial draws, which leave the training's chance alone.
        """
        rows = torch.arange(min(_TRIAL_PHOTOS, len(self._photos))).repeat_interleave(_TRIAL_DRAWS)
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            for self.temperature in TEMPERATURES:
                if self._entropy(vlm, rows) <= CALM:
                    break

    def _entropy(self, vlm: Any, rows: torch.Tensor) -> float:
        """Mean entropy of a drawn token, in nats."""
        prompts, drawn = self.prompt_ids(rows), self.draw(vlm, rows)
        longest, width = max(map(len, prompts)), max(map(len, drawn))
        ids, mask = (
            torch.tensor(
                [
                    [0] * (longest - len(prompt)) + of(prompt + text) + [0] * (width - len(text))
                    for prompt, text in zip(prompts, drawn, strict=True)
                ],
                device=vlm.device,
            )
            for of in (lambda both: both, lambda both: [1] * len(both))
        )
        _, entropies = self.log_probs(vlm, rows, ids, mask, width)
        return float(entropies.sum() / mask[:, -width:].sum())

    def _inputs(self, distinct: tuple[int, ...], device: torch.device) -> dict[str, torch.Tensor]:
        """The processor's inputs, kept for the few passes that a batch of photos sees."""
        if self._last[0] != distinct:
            photos = [self._cache.pixels(self._photos[photo]) for photo in distinct]
            self._last = (distinct, self.prompter.inputs(photos))
        return {name: value.to(device) for name, value in self._last[1].items()}

    def _until_end(self, ids: list[int]) -> list[int]:
        ends = [place for place, token in enumerate(ids) if token in self.prompter.stops]
        return ids[: ends[0] + 1] if ends else ids

    def _autocast(self, vlm: Any, precision: str) -> AbstractContextManager[None]:
        return torch.autocast(vlm.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def settle(vlm: nn.Module) -> None:
    """Training mode by name alone: no dropout, no moving statistics.

    The probability of a description must not change between the draw and its gradient. Blocks that
    recompute their activations look at their own flag and keep it.
    """
    for name, module in vlm.named_modules():
        if name and not getattr(module, "gradient_checkpointing", False):
            module.training = False


def _groups(rows: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor, int]:
    """The distinct photos, the order that sorts the rows by photo, and the rows a photo."""
    distinct, counts = torch.unique(rows.cpu(), return_counts=True)
    if len(set(counts.tolist())) != 1:
        raise ValueError(f"rows hold their photos {counts.tolist()} times; all must be alike")
    order = torch.argsort(rows.cpu(), stable=True)
    return tuple(distinct.tolist()), order, int(counts[0])


# Both ways to the logits give `(T, V)`, a line for each token of the descriptions, and `(B, C)`,
# which line predicts a token of a description; -1 at padding.
_Logits = tuple[torch.Tensor, torch.Tensor]


def _from_prompts(
    vlm: Any,
    inputs: dict[str, torch.Tensor],
    images: Any,
    texts: torch.Tensor,
    attended: torch.Tensor,
    times: int,
) -> _Logits:
    """The prompts once, then the descriptions after their keys and values.

    A prompt is mostly image tokens and longer than its description, so this is most of the work.
    """
    prompts = vlm(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        **_text_inputs(inputs),
        mm_encoder_outputs={"image": images},
        logits_to_keep=1,
        use_cache=True,
    )
    logits = prompts.logits[:, -1].repeat_interleave(times, dim=0)
    counted = attended[:, -texts.shape[1] :].bool()
    places = torch.full(texts.shape, -1, device=texts.device)
    places[:, 0] = torch.arange(len(texts), device=texts.device)
    later = counted[:, 1:]
    if later.any():
        cache = prompts.past_key_values
        cache.batch_repeat_interleave(times)
        rest = vlm(
            input_ids=texts[:, :-1],
            attention_mask=attended[:, :-1],
            past_key_values=cache,
            logits_to_keep=later,
            use_cache=True,
        ).logits
        places[:, 1:][later] = len(texts) + torch.arange(len(rest), device=texts.device)
        logits = torch.cat([logits, rest])
    return logits, places


def _whole(
    vlm: Any,
    inputs: dict[str, torch.Tensor],
    images: Any,
    texts: torch.Tensor,
    attended: torch.Tensor,
    times: int,
) -> _Logits:
    """Each description with its prompt before it; the tower's output is repeated."""
    width = texts.shape[1]
    prompts = inputs["input_ids"].repeat_interleave(times, dim=0)
    counted = attended[:, -width:].bool()
    predicting = torch.zeros_like(attended, dtype=torch.bool)
    predicting[:, -width - 1 : -1] = counted
    logits = vlm(
        input_ids=torch.cat([prompts, texts], dim=1),
        attention_mask=attended,
        **_text_inputs(inputs, times, width),
        mm_encoder_outputs=vlm._expand_multimodal_outputs(
            inputs["input_ids"], {"image": images}, expand_size=times
        ),
        logits_to_keep=predicting,  # the vocabulary's product only where it is needed
        use_cache=False,
    ).logits
    places = torch.full(texts.shape, -1, device=texts.device)
    places[counted] = torch.arange(len(logits), device=texts.device)
    return logits, places


def _text_inputs(
    inputs: dict[str, torch.Tensor], times: int = 1, width: int = 0
) -> dict[str, torch.Tensor]:
    """What else the language model is given with a prompt, for each of its descriptions."""
    shape, found = inputs["input_ids"].shape, {}
    for name, value in inputs.items():
        if name in ("input_ids", "attention_mask") or name.startswith("pixel_"):
            continue
        repeated = value.repeat_interleave(times, dim=0)
        if value.shape == shape:  # marks image tokens; a description has none
            repeated = nn.functional.pad(repeated, (0, width))
        found[name] = repeated
    return found


def _only_whole(vlm: nn.Module) -> bool:
    """Whether descriptions cannot follow their prompt's cache.

    Recomputed activations keep no cache, and the Qwen-VL family counts positions in three
    dimensions over a whole sequence.
    """
    return any(
        getattr(module, "gradient_checkpointing", False) or hasattr(module, "rope_deltas")
        for module in vlm.modules()
    )


def _suppressed(vlm: Any) -> list[int]:
    """Tokens that are never drawn: the image placeholder, and what the checkpoint names."""
    return sorted({image_token_id(vlm.config), *(vlm.generation_config.suppress_tokens or [])})
