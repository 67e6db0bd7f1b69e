"""Small untrained parts, for the demo and for machines without pretrained models.

The tokenizer is learned from the pairs' own descriptions, Chinese or English.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hazardscribe.model.language_model import LanguageModel
from hazardscribe.model.tower import Tower

IMAGE_SIZE = 128
_WIDTHS = [32, 64, 128, 256]  # channels of the tower's stages
# The language model's embedding width, that of one attention head, and its layers.
_WIDTH, _HEAD, _LAYERS = 192, 48, 3
_BOS, _EOS, _PAD, _IMAGE = "<bos>", "<eos>", "<pad>", "<image>"


def scratch_tower(image_size: int | None = None, seed: int = 0) -> Tower:
    """A small residual network (He et al. 2016), four stages of one block, stride 32.

    Args:
        image_size: side of the square input in pixels, default 128: 16 tokens a photo.
        seed: of its weights.
    """
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(
        embedding_size=_WIDTHS[0],
        hidden_sizes=_WIDTHS,
        depths=[1] * len(_WIDTHS),
        layer_type="basic",
        downsample_in_first_stage=False,
    )
    config.hidden_size = _WIDTHS[-1]
    torch.manual_seed(seed)
    model = ResNetModel(config)
    size = image_size or IMAGE_SIZE
    return Tower(
        model,
        config,
        stride=32,
        image_size=size,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        class_token=False,
        convolutional=True,
    )


def scratch_language_model(texts: Sequence[str], seed: int = 0) -> LanguageModel:
    """A small Llama with a byte-level BPE tokenizer learned from the descriptions.

    Args:
        texts: the training descriptions.
        seed: of the weights.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    # Byte-level, so that no character of a later ledger is unknown. Chinese characters stand alone:
    # without spaces, merges would join place, object and defect into one token that no other
    # sentence shares.
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[\u3400-\u9fff]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[_PAD, _BOS, _EOS, _IMAGE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(sorted(texts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=_BOS,
        eos_token=_EOS,
        pad_token=_PAD,
        additional_special_tokens=[_IMAGE],
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_WIDTH // _HEAD,
        num_key_value_heads=_WIDTH // _HEAD,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    return LanguageModel(LlamaForCausalLM(config), tokenizer)
