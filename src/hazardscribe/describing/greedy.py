"""Greedy search without the work that a batch of equal prompts does not need.

transformers' `generate` serves every model and every search. Where all rows hold the same prompt
around one photo, as in any model that `hazardscribe init` composes, three things can be left out
without changing what is computed:

* the text before the photo is the same in every row and, attention being causal, never sees the
  photo: its keys and values are computed once a batch, not once a row;
* a row that has come to its end token leaves the batch, keys and values with it;
* of a step's logits, only the chosen token and its log probability are kept, in place of
  `(B, V)` scores for every step that are normalised in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from hazardscribe.model import composed
from hazardscribe.model.sequences import FirstSequence

# Settings of a generation config that leave greedy search as it is, or are given here.
_HARMLESS = frozenset(
    {
        *("bos_token_id", "eos_token_id", "pad_token_id", "suppress_tokens", "num_beams"),
        *("do_sample", "temperature", "top_k", "top_p", "typical_p", "num_return_sequences"),
        *("max_length", "max_new_tokens", "use_cache", "transformers_version"),
        "_from_model_config",
    }
)


def fits(vlm: Any, inputs: dict[str, torch.Tensor], image_token: int) -> bool:
    """Whether `write` finds what `generate` would: equal prompts in a plain model.

    Args:
        inputs: the processor's. image_token: id of the placeholder.
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    settings = vlm.generation_config.to_diff_dict()
    return (
        composed.is_composed(vlm)
        and composed.is_whole(vlm)
        and all(name in _HARMLESS or not value for name, value in settings.items())
        and bool(mask.all())
        and bool((ids == ids[0]).all())
        and composed.photo_start(ids[:1], image_token) is not None
    )


def write(
    vlm: Any,
    inputs: dict[str, torch.Tensor],
    sequence: FirstSequence,
    image_token: int,
    *,
    max_new_tokens: int,
    suppressed: list[int],
    stops: list[int],
    pad: int,
    streamer: Any = None,
    unwanted: Callable[[], bool] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest token after the likeliest token, for a batch of photos.

    Args:
        vlm: a model that `fits`. inputs: the processor's, on the model's device.
        sequence: the photos' first sequence. image_token: id of its placeholder.
        suppressed: ids that are never written. stops: ids that end a text.
        pad: what follows the end token. streamer: is given the prompt, then each step's tokens.
        unwanted: asked before each token; where it answers yes, texts end there.

    Returns:
        New ids `(B, T)`, `pad` after the end, and their log probabilities `(B, T)`, 0 after it.
    """
    from transformers import DynamicCache

    ids = inputs["input_ids"]
    device, rows = ids.device, len(ids)
    backbone, head = vlm.model.language_model, vlm.lm_head
    start = composed.photo_start(ids[:1], image_token)
    assert start is not None  # it `fits`
    shared = composed.shared_length(rows, start)
    cache = DynamicCache(config=backbone.config)
    states = composed.read(vlm, ids, sequence, start, shared, cache)
    position = ids.shape[1]
    if streamer is not None:
        streamer.put(ids.cpu())
    stop_ids = torch.tensor(stops, device=device)
    suppressed_ids = torch.tensor(suppressed, dtype=torch.long, device=device)
    active = torch.arange(rows, device=device)
    tokens: list[torch.Tensor] = []
    scores: list[torch.Tensor] = []
    for step in range(max_new_tokens):
        logits = head(states[:, -1]).float()
        logits.index_fill_(1, suppressed_ids, float("-inf"))
        best, chosen = logits.max(-1)
        token = ids.new_full((rows,), pad)
        token[active] = chosen
        score = best.new_zeros(rows)
        score[active] = best - logits.logsumexp(-1)
        tokens.append(token)
        scores.append(score)
        if streamer is not None:
            streamer.put(token.cpu())
        if step + 1 == max_new_tokens:
            break
        going = ~torch.isin(chosen, stop_ids)
        left = int(going.sum())  # a GPU is waited for here, once a word
        if not left or (unwanted and unwanted()):
            break
        if left < len(going):
            active, chosen = active[going], chosen[going]
            cache.batch_select_indices(going.nonzero()[:, 0])
        states = backbone(
            inputs_embeds=backbone.get_input_embeddings()(chosen[:, None]),
            past_key_values=cache,
            position_ids=torch.full((1, 1), position, device=device),
            use_cache=True,
        ).last_hidden_state
        position += 1
    if streamer is not None:
        streamer.end()
    return torch.stack(tokens, 1), torch.stack(scores, 1)
