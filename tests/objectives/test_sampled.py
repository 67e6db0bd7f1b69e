"""The sampled likelihood is an honest estimate of the exact one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hazardscribe.objectives.alignment import corpus_nll
from hazardscribe.objectives.sampled import draw_texts, sampled_corpus_nll

SCALE = 6.0


@pytest.fixture
def corpus():
    """Texts in near-equal pairs, with counts, in float64; photos near their own."""
    torch.manual_seed(0)
    ideas = torch.randn(20, 8, dtype=torch.float64)
    texts = F.normalize(ideas.repeat(2, 1) + 0.05 * torch.randn(40, 8, dtype=torch.float64), dim=-1)
    counts = torch.randint(1, 6, (40,))
    targets = torch.tensor([0, 7, 33])
    photos = F.normalize(texts[targets] + 0.5 * torch.randn(3, 8, dtype=torch.float64), dim=-1)
    return photos.requires_grad_(), texts, counts, targets


@pytest.mark.parametrize("share_above", [None, 0.95])
def test_with_every_text_drawn_as_often_as_it_occurs_it_is_exact(corpus, share_above):
    photos, texts, counts, targets = corpus
    log_counts, total = counts.double().log(), float(counts.sum())
    everything = torch.arange(len(counts)).repeat_interleave(counts)
    exact = corpus_nll(photos, texts, log_counts, targets, SCALE, share_above)
    ours = sampled_corpus_nll(
        photos, texts, log_counts, targets, SCALE, everything, total, share_above
    )
    torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(loss, photos)[0] for loss in (ours, exact)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_the_normaliser_is_unbiased_and_its_error_falls_with_the_sample(corpus):
    photos, texts, counts, targets = corpus
    log_counts, total = counts.double().log(), float(counts.sum())
    photo, target = photos[:1].detach(), targets[:1]
    exact = corpus_nll(photo, texts, log_counts, target, SCALE)
    cumulative = counts.cumsum(0)
    errors = {}
    for samples in (16, 256):
        losses = torch.stack(
            [
                sampled_corpus_nll(
                    photo, texts, log_counts, target, SCALE, draw_texts(cumulative, samples), total
                )
                for _ in range(2000)
            ]
        )
        ratios = (losses - exact).exp()  # of the estimated Z to the exact one
        assert float(ratios.mean()) == pytest.approx(1, abs=4 * float(ratios.std()) / 2000**0.5)
        errors[samples] = float((losses - exact).std())
    assert errors[256] < errors[16] / 3


@pytest.mark.parametrize("counts", [[1, 0, 3, 6], [0.3, 0.0, 0.5, 1.2]])
def test_texts_are_drawn_as_often_as_they_occur(counts):
    torch.manual_seed(0)
    counts = torch.tensor(counts)
    drawn = draw_texts(counts.cumsum(0), 20_000).bincount(minlength=4) / 20_000
    torch.testing.assert_close(drawn, counts / counts.sum(), atol=0.015, rtol=0)
