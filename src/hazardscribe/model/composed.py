"""Models as `hazardscribe init` composes them: a photo's tokens among a plain causal LLM's words.

Their language model takes embeddings and plain positions, so it can be run by itself, and what
stands before the photo in every prompt needs to be read once for a whole batch: attention being
causal, it never sees the photo. Other families have positions in space, photo tokens that see each
other, or tiles; they are run as a whole, by their own forward pass.
"""

from __future__ import annotations

from typing import Any

import torch

from hazardscribe.model.sequences import FirstSequence

# A language model and its output layer side by side, as `hazardscribe init` writes them.
COMPOSED = frozenset({"fast_vlm", "llava"})


def is_composed(vlm: Any) -> bool:
    """Whether `read` knows the model, and its language model keeps nothing but keys and values.

    Some keep a state of another form, which cannot be shared. Whether a batch's placeholders stand
    as `init` has them, `photo_start` says.
    """
    layers = getattr(vlm.config.get_text_config(), "layer_types", None) or ["full_attention"]
    return vlm.config.model_type in COMPOSED and set(layers) == {"full_attention"}


def is_whole(vlm: torch.nn.Module) -> bool:
    """Whether all weights lie here: those that processes share are whole only inside a forward."""
    return all(type(weight) is torch.nn.Parameter for weight in vlm.parameters())


def photo_start(ids: torch.Tensor, image_token: int) -> int | None:
    """Column of the first placeholder, where all rows hold one run of them in the same columns.

    None where they do not: some models of type `llava` (Pixtral) write a mark after each row of a
    photo's patches, among the placeholders.

    Args:
        ids: `(B, L)`. image_token: id of the placeholder.
    """
    marks = ids == image_token
    columns = marks[0].nonzero()[:, 0].tolist()
    one_run = bool(columns) and columns[-1] - columns[0] + 1 == len(columns)
    return columns[0] if one_run and bool((marks == marks[0]).all()) else None


def shared_length(rows: int, start: int) -> int:
    """Of the tokens before the photo, those that a batch of several need not read for each."""
    return start if rows > 1 else 0


def read(
    vlm: Any,
    ids: torch.Tensor,
    sequence: FirstSequence,
    start: int,
    shared: int,
    cache: Any = None,
) -> torch.Tensor:
    """Run the language model over prompts that begin alike, and what follows them.

    Gradients reach all of it, the shared beginning by the sum over the rows. Padding, if any, must
    stand on the right, where no word looks.

    Args:
        vlm: a model that `is_composed`. ids: `(B, L)`, with the placeholders of the photos.
        sequence: the photos' first sequence. start: the placeholders' `photo_start`.
        shared: how many tokens are the same in all rows. cache: an empty one, to be filled with the
            keys and values of all rows.

    Returns:
        Hidden states `(B, L - shared, D)` of what is not shared.
    """
    from transformers import DynamicCache

    backbone = vlm.model.language_model
    if cache is None and shared:
        cache = DynamicCache(config=backbone.config)
    # All words at once: in training each look-up makes a gradient as large as the vocabulary.
    words = backbone.get_input_embeddings()(ids)
    if shared:
        backbone(inputs_embeds=words[:1, :shared], past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(ids))
    photos = sequence.values.to(words.dtype)
    # Scattered by a mask, a GPU would have to count it first, forward and backward.
    parts = (words[:, shared:start], photos, words[:, start + photos.shape[1] :])
    output = backbone(
        inputs_embeds=torch.cat(parts, dim=1),
        past_key_values=cache,
        position_ids=torch.arange(shared, ids.shape[1], device=ids.device)[None],
        use_cache=cache is not None,
    )
    states: torch.Tensor = output.last_hidden_state
    return states
