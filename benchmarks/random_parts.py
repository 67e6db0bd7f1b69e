"""Untrained parts of the size that a GPU is used for: a tower of 86 M, a language model of 494 M.

    python benchmarks/random_parts.py OUT --tokenizer FOLDER
    hazardscribe init --vision OUT/vision --llm OUT/llm --target '{description_en}' --out START

Speed does not depend on what the weights say. The shapes are those of ViT-B/16 (Dosovitskiy et al.
2021, table 1: 12 blocks, 768 wide, 12 heads; 196 tokens a photo of 224 pixels) and of
Qwen2.5-0.5B (its config.json: 24 blocks, 896 wide, 14 heads over 2 of keys and values, 4864
between, 151,936 tokens in its vocabulary). The tokenizer is any language model's; ids above its
own occur nowhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of a language model")
    args = parser.parse_args()

    import torch
    from transformers import (
        AutoTokenizer,
        Qwen2Config,
        Qwen2ForCausalLM,
        ViTConfig,
        ViTImageProcessor,
        ViTModel,
    )

    torch.manual_seed(0)
    tower = ViTModel(ViTConfig(), add_pooling_layer=False)
    tower.save_pretrained(args.out / "vision")
    ViTImageProcessor().save_pretrained(args.out / "vision")
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    llm = Qwen2ForCausalLM(config)
    llm.save_pretrained(args.out / "llm")
    tokenizer.save_pretrained(args.out / "llm")
    for name, part in (("tower", tower), ("language model", llm)):
        print(f"{name}: {sum(one.numel() for one in part.parameters()) / 1e6:.0f} M parameters")


if __name__ == "__main__":
    main()
