"""The bank's counts are how often training shows a text."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch

from hazardscribe.model.text_encoder import HubEncoder
from hazardscribe.training.augment import augment
from hazardscribe.training.bank import shown_counts, text_bank
from hazardscribe.training.recipe import Alignment, Augmentation, Recipe

# Mirrored, mirrored into another photo's text, unmirrorable, and without a side.
TEXTS = ["左侧有明火", "左侧有明火", "右侧有明火", "北门通道堵塞", "未戴安全帽"]


@pytest.mark.parametrize("mirror", [0.0, 0.25, 1.0])
def test_texts_count_as_often_as_augmentation_shows_them(mirror):
    counts = shown_counts(TEXTS, mirror)
    draw, photo = random.Random(0), np.zeros((4, 4, 3), dtype=np.uint8)
    passes = 4000
    shown = Counter(
        augment(photo, text, Augmentation(mirror=mirror), draw)[1]
        for text in TEXTS
        for _ in range(passes)
    )
    assert counts.keys() == shown.keys()
    for text, count in counts.items():
        assert count == pytest.approx(shown[text] / passes, abs=0.04)
    assert sum(counts.values()) == pytest.approx(len(TEXTS))


def test_the_bank_of_a_recipe_has_these_counts():
    recipe = Recipe(start="x", augmentation=Augmentation(mirror=0.25), alignment=Alignment())
    bank = text_bank(recipe, TEXTS, "cpu")
    wanted = {"左侧有明火": 1.75, "右侧有明火": 1.25, "北门通道堵塞": 1.0, "未戴安全帽": 1.0}
    counts = bank.log_counts.exp()
    torch.testing.assert_close(counts, torch.tensor([wanted[text] for text in bank.texts]))
    assert float(bank.cumulative_counts[-1]) == pytest.approx(len(TEXTS))


def test_an_encoder_leaves_the_gpu_once_the_bank_is_made(tmp_path, monkeypatch):
    calls = []

    class Encoder(HubEncoder):
        def __init__(self, device: str) -> None:
            self.identity, self.dim = "x", 3
            calls.append(device)

        def encode(self, texts):
            calls.append("encode")
            return torch.randn(len(texts), 1, 3), torch.ones(len(texts), 1, dtype=torch.bool)

        def move(self, device):
            calls.append(device)

    monkeypatch.setenv("HAZARDSCRIBE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        "hazardscribe.training.bank.load_text_encoder", lambda *given: Encoder(given[-1])
    )
    recipe = Recipe(start="x", alignment=Alignment(text_encoder=str(tmp_path)))
    assert isinstance(text_bank(recipe, TEXTS, "cuda").encoder, Encoder)
    assert calls == ["cuda", "encode", "cpu"]
