"""Whether a model to start from fits the pairs: findings that `hazardscribe check --model` adds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import recover_folder
from hazardscribe.model.folders import LOADING, UNLOADABLE, refuse_unusable
from hazardscribe.pairs.checking.findings import Finding


def model_findings(model: Path, texts: Sequence[str], max_text_tokens: int) -> list[Finding]:
    """What of the pairs the model would not see or not learn; only its processor is loaded.

    Args:
        model: model folder.
        texts: the descriptions.
        max_text_tokens: where training cuts them.

    Raises:
        InputError: the folder is no model folder, has no processor, or cannot be prompted.
    """
    from transformers import AutoConfig, AutoProcessor

    from hazardscribe.model.prompting import crops, refuse_unprompted

    recover_folder(model)
    refuse_unusable(model)
    try:
        config = AutoConfig.from_pretrained(model, **LOADING)
        processor = AutoProcessor.from_pretrained(model, **LOADING)
    except UNLOADABLE as error:
        raise InputError(
            f"{model}: its processor could not be loaded: {error}\n"
            "Name a folder that `hazardscribe init` or `hazardscribe train` wrote, or any "
            "image-text-to-text checkpoint."
        ) from error
    refuse_unprompted(model, config, processor)
    found: list[Finding] = []
    if crops(processor):
        found.append(Finding("model_crops", "warning", 1, "model", values={"model": model.name}))
    different = list(dict.fromkeys(texts))
    # As training counts them: what looks special is plain text, and one more token ends it.
    plain = {"add_special_tokens": False, "split_special_tokens": True}
    lengths = [len(ids) + 1 for ids in processor.tokenizer(different, **plain)["input_ids"]]
    cut = [length for length in lengths if length > max_text_tokens]
    if cut:
        values = {"limit": max_text_tokens, "longest": max(cut)}
        found.append(Finding("model_cuts_text", "warning", len(cut), "texts", values=values))
    return found
