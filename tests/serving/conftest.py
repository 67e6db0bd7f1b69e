"""What the tests of serving share: an app on a tiny model, and a server of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import make_app, running

from hazardscribe.checksums import CHECKSUMS
from hazardscribe.serving.settings import ServeSettings

BRIEF: dict[str, Any] = {"max_new_tokens": 8, "device": "cpu", "requests_per_minute": 0}


@pytest.fixture(scope="session")
def talkative(start: Path, tmp_path_factory) -> Path:
    """The tiny model with weights so large that each photo gets a text of its own, in letters."""
    import torch

    from hazardscribe.model.checkpoint import load_checkpoint

    folder = Path(shutil.copytree(start, tmp_path_factory.mktemp("talkative") / "model"))
    loaded = load_checkpoint(folder)
    tokenizer, vlm = loaded.processor.tokenizer, loaded.vlm
    texts = [tokenizer.decode([i]) for i in range(len(tokenizer))]
    letters = {i for i, text in enumerate(texts) if len(text) == 1 and text.isascii()}
    letters = {i for i in letters if texts[i].isalpha()}
    vocabulary = vlm.config.text_config.vocab_size
    vlm.generation_config.suppress_tokens = sorted(set(range(vocabulary)) - letters)
    with torch.no_grad():
        for name, weight in vlm.named_parameters():
            if "projector" in name:
                weight.mul_(300)
            elif "language_model" in name and weight.ndim > 1 and "embed" not in name:
                weight.mul_(20)
    vlm.save_pretrained(folder)
    (folder / CHECKSUMS).unlink()  # those of the weights before
    return folder


@pytest.fixture(scope="session")
def serve_app():
    """An app with a tiny model and an empty ledger."""

    def make(model: Path, **settings: Any) -> Any:
        return make_app(ServeSettings(model=model, **(BRIEF | settings)))

    return make


@pytest.fixture(scope="session")
def server(talkative: Path, serve_app) -> Iterator[str]:
    """The address of a server on the talkative model."""
    with running(serve_app(talkative)) as address:
        yield address
