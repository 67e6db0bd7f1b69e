"""The image placeholder and the chat template of a composed model."""

from __future__ import annotations

from typing import Any

# Special tokens that a language model's tokenizer has but its training never used, best first.
_SPARE = (
    "<image>",
    "<|image_pad|>",
    "<|image|>",
    "<empty_output>",
    "<unused0>",
    "<|reserved_special_token_0|>",
    "<|extra_0|>",
)

# The photo, the prompt, a line break: for language models without a chat template.
_PLAIN = (
    "{{ bos_token if bos_token is defined and bos_token else '' }}"
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}{% if part.type == 'image' %}IMAGE_TOKEN"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}"
    "{% endfor %}"
)

# Templates of text-only models render `content` as a string: flatten the parts in front of them.
_FLATTEN = (
    "{%- set ns = namespace(flat=[]) -%}{%- for message in messages -%}"
    "{%- if message.content is string -%}{%- set ns.flat = ns.flat + [message] -%}{%- else -%}"
    "{%- set text = namespace(value='') -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{%- set text.value = text.value + 'IMAGE_TOKEN' -%}"
    "{%- else -%}{%- set text.value = text.value + part.text -%}{%- endif -%}{%- endfor -%}"
    "{%- set ns.flat = ns.flat + [{'role': message.role, 'content': text.value}] -%}"
    "{%- endif -%}{%- endfor -%}{%- set messages = ns.flat -%}"
)


def choose_image_token(tokenizer: Any) -> tuple[str, bool]:
    """A placeholder token for the photo, and whether it had to be added to the tokenizer.

    A spare special token is preferred: it needs no new embedding row.
    """
    vocabulary = tokenizer.get_vocab()
    for token in _SPARE:
        # In the vocabulary is not enough: the tokenizer must also not take it apart.
        if tokenizer.encode(token, add_special_tokens=False) == [vocabulary.get(token)]:
            return token, False
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return "<image>", True


def chat_template_for(tokenizer: Any, image_token: str, *, plain: bool) -> str:
    """A chat template that takes messages with image and text parts.

    Args:
        plain: ignore the language model's own template and write photo and prompt only.
    """
    own = tokenizer.chat_template
    if plain or not isinstance(own, str) or not own:
        return plain_template(image_token)
    return _FLATTEN.replace("IMAGE_TOKEN", image_token) + own


def plain_template(image_token: str) -> str:
    """The photo, the prompt, a line break."""
    return _PLAIN.replace("IMAGE_TOKEN", image_token)
