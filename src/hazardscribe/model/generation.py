"""How a model writes where nobody says otherwise: greedily, to its end token, without image marks.

Checkpoints bring sampling habits along: a temperature, a penalty on repetition, a forced length. A
ledger wants one wording, the likeliest; how it is searched for is said by whoever describes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import GenerationConfig


LONGEST = 96
"""Tokens of a description where nobody says how long it may be, the end token included."""


def plain_settings(
    source: Any, tokenizer: Any, marks: Iterable[int], max_new_tokens: int | None = None
) -> GenerationConfig:
    """Settings that hold a checkpoint's special tokens and nothing else of its own.

    Args:
        source: the generation config that it came with.
        marks: ids that are never to be written, besides those that it suppresses itself.
        max_new_tokens: longest text; default: as `source` has it.
    """
    from transformers import GenerationConfig

    end = source.eos_token_id if source.eos_token_id is not None else tokenizer.eos_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else source.pad_token_id
    if pad is None:
        pad = end[0] if isinstance(end, list) else end
    # The Idefics family suppresses its image marks as bad words of one token.
    words = [word[0] for word in source.bad_words_ids or [] if len(word) == 1]
    return GenerationConfig(
        bos_token_id=source.bos_token_id,
        eos_token_id=end,
        pad_token_id=pad,
        do_sample=False,
        max_new_tokens=max_new_tokens or source.max_new_tokens,
        suppress_tokens=sorted({*marks, *words, *(source.suppress_tokens or [])}),
    )
