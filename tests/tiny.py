"""Tiny random models in the formats that the real ones are published in, built in a moment.

Towers and language models are saved as folders of their own, as a user has them; the families are
whole vision-language checkpoints with processors in the family's style. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TEXTS = {
    "zh": [
        "一名工人未佩戴安全帽",
        "两名工人未穿反光背心",
        "消防通道被杂物堵塞",
        "配电箱门敞开，导线裸露",
        "气瓶未固定，左侧有明火",
        "现场未发现明显隐患",
    ],
    "en": [
        "one worker without a hard hat",
        "two workers without a reflective vest",
        "the fire exit is blocked by boxes",
        "the distribution box is open and a wire is bare",
        "a gas cylinder is not secured, an open flame on the left",
        "no obvious hazard in the photo",
    ],
}

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_with_parts(image: str) -> str:
    """ChatML for messages made of parts, the photo written as `image`."""
    return (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.content is string %}{{ message.content }}{% else %}"
        "{% for part in message.content %}{% if part.type == 'image' %}" + image + "{% else %}"
        "{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def make_tokenizer(
    *special: str,
    bos: str | None = None,
    eos: str = "<|im_end|>",
    pad: str | None = "<pad>",
    template: str | None = None,
    **named: str,
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer: any text in any language, 256 letters and the special tokens.

    Args:
        named: special tokens with a name, such as `image_token`, which some processors ask for.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        extra_special_tokens=named,
    )
    tokenizer.add_tokens([token for token in special if token != eos], special_tokens=True)
    tokenizer.chat_template = template
    return tokenizer


# ---- towers -------------------------------------------------------------------------------------

_TOWER = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
_TEXT_SIDE = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 64,
    "projection_dim": 16,
}
_DINO = {key: value for key, value in _TOWER.items() if key != "intermediate_size"}


def _siglip() -> Any:
    return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**_TOWER))


def _siglip_dual() -> Any:
    text = {key: value for key, value in _TEXT_SIDE.items() if key != "projection_dim"}
    return transformers.SiglipModel(
        transformers.SiglipConfig(text_config=text, vision_config=_TOWER)
    )


def _clip() -> Any:
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**_TOWER))


def _clip_dual() -> Any:
    return transformers.CLIPModel(
        transformers.CLIPConfig(text_config=_TEXT_SIDE, vision_config=_TOWER, projection_dim=16)
    )


def _dinov2() -> Any:
    return transformers.Dinov2Model(transformers.Dinov2Config(**_DINO, mlp_ratio=2))


def _vit() -> Any:
    return transformers.ViTModel(transformers.ViTConfig(**_TOWER))


def _timm() -> Any:
    config = transformers.TimmWrapperConfig(architecture="resnet10t", do_pooling=False)
    return transformers.TimmWrapperModel(config)


# SigLIP 2 checkpoints of a fixed resolution are stored under SigLIP's own model type.
TOWERS: dict[str, Callable[[], Any]] = {
    "siglip": _siglip,
    "siglip_dual": _siglip_dual,
    "clip": _clip,
    "clip_dual": _clip_dual,
    "dinov2": _dinov2,
    "vit": _vit,
    "timm": _timm,
}


def save_tower(name: str, folder: Path) -> Path:
    """A tower's folder, with the cropping processor that such towers come with."""
    torch.manual_seed(1)
    TOWERS[name]().save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
        image_mean=[0.5, 0.4, 0.3],
        image_std=[0.2, 0.3, 0.4],
    ).save_pretrained(folder)
    return folder


# ---- language models ----------------------------------------------------------------------------

_LLM = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
}


def text_config(kind: str, tokenizer: Any, *, tied: bool, **more: Any) -> Any:
    """A language model's configuration, by the name of its family."""
    classes = {
        "llama": transformers.LlamaConfig,
        "qwen2": transformers.Qwen2Config,
        "qwen3": transformers.Qwen3Config,
        "gemma3": transformers.Gemma3TextConfig,
        "gemma2": transformers.Gemma2Config,
        "granite": transformers.GraniteConfig,
        "cohere": transformers.CohereConfig,
        "phi": transformers.PhiConfig,
        "mistral": transformers.MistralConfig,
    }
    settings = _LLM | {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": tied,
    }
    return classes[kind](**settings, **more)


def save_language_model(
    kind: str,
    folder: Path,
    *,
    tied: bool = True,
    spare: str | None = None,
    template: str | None = CHATML,
    dtype: torch.dtype = torch.float32,
    **of_config: Any,
) -> Path:
    """A language model's folder with its tokenizer.

    Args:
        spare: a special token that its training never used. dtype: of the stored weights.
        of_config: further settings of its configuration.
    """
    special = ["<|im_start|>", "<|im_end|>", *([spare] if spare else [])]
    if kind == "gemma3":
        special += ["<start_of_image>", "<end_of_image>"]
    tokenizer = make_tokenizer(
        *special, bos="<bos>" if kind == "gemma3" else None, template=template
    )
    torch.manual_seed(2)
    config = text_config(kind, tokenizer, tied=tied, **of_config)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# ---- whole checkpoints of the families -----------------------------------------------------------


def _processor_smolvlm() -> Any:
    tokenizer = make_tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        "<image>",
        "<fake_token_around_image>",
        "<global-img>",
        "<row_1_col_1>",
        "<row_1_col_2>",
        "<row_2_col_1>",
        "<row_2_col_2>",
        eos="<end_of_utterance>",
    )
    return transformers.SmolVLMProcessor(
        transformers.SmolVLMImageProcessor(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
        ),
        tokenizer,
        transformers.SmolVLMVideoProcessor(),
        image_seq_len=4,
        chat_template=(
            "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}:"
            "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}"
            "{{ part.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
            "{% if add_generation_prompt %}Assistant:{% endif %}"
        ),
    )


def _smolvlm() -> tuple[Any, Any]:
    processor = _processor_smolvlm()
    tokenizer = processor.tokenizer
    config = transformers.SmolVLMConfig(
        vision_config=_TOWER,
        text_config=text_config("llama", tokenizer, tied=False).to_dict(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    return transformers.SmolVLMForConditionalGeneration(config), processor


def _qwen3_vl() -> tuple[Any, Any]:
    tokenizer = make_tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        "<|vision_start|>",
        "<|vision_end|>",
        "<|image_pad|>",
        "<|video_pad|>",
        pad="<|endoftext|>",
    )
    geometry = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2}
    processor = transformers.Qwen3VLProcessor(
        transformers.Qwen2VLImageProcessor(
            **geometry, size={"shortest_edge": 16 * 16, "longest_edge": 48 * 48}
        ),
        tokenizer,
        transformers.Qwen3VLVideoProcessor(**geometry),
        chat_template=chat_with_parts("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    text = {
        "model_type": "qwen3_vl_text",
        **_LLM,
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [2, 3, 3],
            "mrope_interleaved": True,
            "rope_theta": 10000.0,
        },
    }
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "patch_size": 8,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0, 1],
    }
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    return transformers.Qwen3VLForConditionalGeneration(config), processor


def _internvl() -> tuple[Any, Any]:
    tokenizer = make_tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    side = {"height": 32, "width": 32}
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=side, min_patches=1, max_patches=2),
        tokenizer,
        transformers.InternVLVideoProcessor(size=side),
        image_seq_length=4,
        chat_template=chat_with_parts("<IMG_CONTEXT>"),
    )
    vision = _TOWER | {"image_size": [32, 32], "patch_size": [8, 8]}
    config = transformers.InternVLConfig(
        vision_config=vision,
        text_config=text_config("qwen2", tokenizer, tied=False).to_dict(),
        image_token_id=processor.image_token_id,
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    return transformers.InternVLForConditionalGeneration(config), processor


def _gemma3() -> tuple[Any, Any]:
    tokenizer = make_tokenizer(
        "<start_of_turn>",
        bos="<bos>",
        eos="<end_of_turn>",
        image_token="<image_soft_token>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
    )
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer,
        image_seq_length=4,
        chat_template=(
            "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message.role }}\n"
            "{% for part in message.content %}{% if part.type == 'image' %}<start_of_image>"
            "{% else %}{{ part.text }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
            "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
        ),
    )
    text = text_config("gemma3", tokenizer, tied=True, query_pre_attn_scalar=16)
    config = transformers.Gemma3Config(
        text_config=text.to_dict(),
        vision_config=_TOWER | {"vision_use_head": False},
        mm_tokens_per_image=4,
        image_token_id=tokenizer.image_token_id,
        boi_token_id=tokenizer.boi_token_id,
        eoi_token_id=tokenizer.eoi_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return transformers.Gemma3ForConditionalGeneration(config), processor


def _pixtral() -> tuple[Any, Any]:
    """Of LLaVA's class, but with photos of any shape and a mark after each row of patches."""
    tokenizer = make_tokenizer(
        "<|im_start|>", "<|im_end|>", "[IMG]", "[IMG_BREAK]", "[IMG_END]", pad="<pad>"
    )
    processor = transformers.PixtralProcessor(
        transformers.PixtralImageProcessor(
            size={"longest_edge": 32}, patch_size={"height": 8, "width": 8}
        ),
        tokenizer,
        patch_size=8,
        chat_template=chat_with_parts("[IMG]"),
    )
    config = transformers.LlavaConfig(
        vision_config=transformers.PixtralVisionConfig(**_TOWER),
        text_config=text_config("mistral", tokenizer, tied=False),
        image_token_index=processor.image_token_id,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=False,
    )
    return transformers.LlavaForConditionalGeneration(config), processor


def _composed(tower: str, llm: str) -> Callable[[Path], tuple[Any, Any]]:
    def make(folder: Path) -> tuple[Any, Any]:
        from hazardscribe.model.compose import compose
        from hazardscribe.model.language_model import load_language_model
        from hazardscribe.model.tower import load_tower

        size = 64 if tower == "timm" else None
        return compose(
            load_tower(str(save_tower(tower, folder / "tower")), size),
            load_language_model(str(save_language_model(llm, folder / "llm"))),
        )

    return make


_FAMILIES: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "llava": _composed("siglip", "llama"),
    "fast_vlm": _composed("timm", "qwen2"),
    "pixtral": lambda _: _pixtral(),
    "smolvlm": lambda _: _smolvlm(),
    "qwen3_vl": lambda _: _qwen3_vl(),
    "internvl": lambda _: _internvl(),
    "gemma3": lambda _: _gemma3(),
}
FAMILIES = tuple(_FAMILIES)


def save_family(name: str, folder: Path) -> Path:
    """A whole checkpoint of a family: model, processor, generation config."""
    torch.manual_seed(3)
    vlm, processor = _FAMILIES[name](folder.with_name(f"{folder.name}-parts"))
    vlm.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


# ---- how they are run ---------------------------------------------------------------------------


@contextmanager
def watched(*layers: str) -> Iterator[dict[str, set[bool]]]:
    """By class of the layers named, under which settings they ran: whether products in bfloat16."""
    seen: dict[str, set[bool]] = {layer: set() for layer in layers}

    def look(module: Any, _: Any) -> None:
        if (name := type(module).__name__) in seen:
            seen[name].add(torch.is_autocast_enabled("cpu"))

    hook = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield seen
    finally:
        hook.remove()
