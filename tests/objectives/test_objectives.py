"""Every likelihood against a reference written out in float64 NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hazardscribe.objectives.alignment import (
    FORMS,
    INITIAL_SCALE,
    MAX_SCALE,
    AlignmentHead,
    corpus_nll,
    in_batch_nll,
    sigmoid_nll,
    token_nll,
)
from hazardscribe.objectives.caption import caption_nll

SCALE = 7.5


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).normal(size=shape)
    return torch.from_numpy(values / np.linalg.norm(values, axis=-1, keepdims=True))


def log_softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    shifted = logits - logits.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def test_corpus_likelihood_equals_its_formula():
    photos, texts = unit(5, 8), unit(9, 8, seed=1)
    counts = np.array([1.0, 4, 2, 1, 1, 7, 3, 1, 2])
    targets = np.array([0, 5, 5, 8, 2])
    logits = SCALE * photos.numpy() @ texts.numpy().T + np.log(counts)
    expected = -log_softmax(logits)[np.arange(5), targets].sum()
    loss = corpus_nll(
        photos, texts, torch.from_numpy(counts).log(), torch.from_numpy(targets), SCALE
    )
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_near_texts_share_the_targets_mass_by_their_counts():
    photos, texts = unit(3, 8), unit(6, 8, seed=1)
    texts[4] = F.normalize(texts[1] + 0.05 * texts[0], dim=-1)  # nearly text 1
    counts = np.array([1.0, 3.0, 1.0, 2.0, 5.0, 1.0])
    targets = torch.tensor([1, 4, 3])
    logits = SCALE * photos.numpy() @ texts.numpy().T + np.log(counts)
    log_p = log_softmax(logits)
    pair = (3 * log_p[:, 1] + 5 * log_p[:, 4]) / 8
    expected = -(pair[0] + pair[1] + log_p[2, 3])
    loss = corpus_nll(
        photos, texts, torch.from_numpy(counts).log(), targets, SCALE, share_above=0.95
    )
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_nothing_is_shared_where_no_text_is_near():
    photos, texts = unit(3, 8), unit(6, 8, seed=1)
    targets, log_counts = torch.tensor([1, 4, 3]), torch.zeros(6, dtype=torch.float64)
    plain = corpus_nll(photos, texts, log_counts, targets, SCALE)
    shared = corpus_nll(photos, texts, log_counts, targets, SCALE, share_above=0.999)
    assert float(shared) == pytest.approx(float(plain), rel=1e-12)
    # A text whose vector is zero (the corpus mean itself) is not near itself, yet is its target.
    texts[1] = 0
    lone = corpus_nll(photos, texts, log_counts, targets, SCALE, share_above=0.999)
    assert torch.isfinite(lone)


def test_a_corpus_of_one_batch_is_the_photo_to_text_half_of_in_batch_softmax():
    photos, texts, own = unit(6, 8), unit(6, 8, seed=1), torch.arange(6)
    corpus = corpus_nll(photos, texts, torch.zeros(6, dtype=torch.float64), own, SCALE)
    logits = SCALE * photos @ texts.T
    assert float(corpus) == pytest.approx(float(F.cross_entropy(logits, own, reduction="sum")))
    text_to_photo = F.cross_entropy(logits.T, own, reduction="sum")
    both = in_batch_nll(photos, texts, own, SCALE)
    assert float(both) == pytest.approx(float(corpus + text_to_photo) / 2, rel=1e-12)


def test_equal_texts_are_no_negatives_of_each_other():
    photos, texts = unit(4, 8), unit(4, 8, seed=1)
    texts[2] = texts[0]
    targets = torch.tensor([11, 3, 11, 8])
    log_p = log_softmax(SCALE * photos.numpy() @ texts.numpy().T)
    log_q = log_softmax(SCALE * texts.numpy() @ photos.numpy().T)
    expected = 0.0
    for table in (log_p, log_q):
        shared = (table[0, 0] + table[0, 2] + table[2, 0] + table[2, 2]) / 2
        expected -= (shared + table[1, 1] + table[3, 3]) / 2
    assert float(in_batch_nll(photos, texts, targets, SCALE)) == pytest.approx(expected, rel=1e-12)


def test_sigmoid_loss_equals_its_formula():
    photos, texts = unit(4, 8), unit(4, 8, seed=1)
    targets = torch.tensor([0, 1, 0, 2])
    logits = SCALE * photos.numpy() @ texts.numpy().T - 3.0
    same = targets.numpy()[:, None] == targets.numpy()[None]
    expected = np.log1p(np.exp(np.where(same, -logits, logits))).sum()
    loss = sigmoid_nll(photos, texts, targets, SCALE, -3.0)
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_late_interaction_equals_its_formula():
    photo_tokens, text_tokens = unit(3, 5, 8), unit(3, 4, 8, seed=1)
    photo_lengths, text_lengths = [5, 2, 3], [4, 1, 2]
    logits = np.empty((3, 3))
    for i, n in enumerate(photo_lengths):
        for j, m in enumerate(text_lengths):
            similar = text_tokens[j, :m].numpy() @ photo_tokens[i, :n].numpy().T
            logits[i, j] = SCALE * similar.max(1).mean()
    halves = (log_softmax(logits).trace(), log_softmax(logits.T).trace())
    loss = token_nll(
        photo_tokens,
        torch.arange(5) < torch.tensor(photo_lengths)[:, None],
        text_tokens,
        torch.arange(4) < torch.tensor(text_lengths)[:, None],
        torch.arange(3),
        SCALE,
    )
    assert float(loss) == pytest.approx(-sum(halves) / 2, rel=1e-12)


def test_what_is_padding_changes_no_likelihood():
    photo_tokens, text_tokens = unit(2, 3, 8), unit(2, 2, 8, seed=1)
    masks = torch.tensor([[1, 1, 0], [1, 1, 1]]).bool(), torch.tensor([[1, 0], [1, 1]]).bool()
    before = token_nll(photo_tokens, masks[0], text_tokens, masks[1], torch.arange(2), SCALE)
    photo_tokens[0, 2], text_tokens[0, 1] = 100, -100
    after = token_nll(photo_tokens, masks[0], text_tokens, masks[1], torch.arange(2), SCALE)
    assert torch.equal(before, after)

    head = AlignmentHead(8, 4)
    sequence, mask = torch.randn(2, 3, 8), masks[0]
    pooled = head(sequence, mask)
    sequence[0, 2] = 100
    assert torch.equal(head(sequence, mask), pooled)


def test_caption_likelihood_is_a_sum_over_tokens():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(6, 11)), rng.integers(0, 11, 6)
    expected = -log_softmax(logits)[np.arange(6), targets].sum()
    loss = caption_nll(torch.from_numpy(logits).float(), torch.from_numpy(targets))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_the_captions_softmax_is_float32_whatever_the_logits_are():
    logits, targets = torch.randn(5, 9).bfloat16(), torch.arange(5)
    reference = F.cross_entropy(logits.float(), targets, reduction="sum")
    loss = caption_nll(logits, targets)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, reference)


@pytest.mark.parametrize(("logits", "targets"), [((2, 3, 4), (2,)), ((3, 4), (2,)), ((3,), (3,))])
def test_logits_and_targets_must_fit(logits, targets):
    with pytest.raises(ValueError, match="must be"):
        caption_nll(torch.zeros(logits), torch.zeros(targets, dtype=torch.long))


@pytest.mark.parametrize("form", FORMS)
def test_a_head_holds_no_parameter_that_its_form_does_not_use(form):
    torch.manual_seed(0)
    head = AlignmentHead(16, 8, form)
    sequence, mask, targets = torch.randn(3, 5, 16), torch.ones(3, 5).bool(), torch.arange(3)
    texts, tokens = unit(3, 8).float(), unit(3, 4, 8).float()
    if form == "token":
        text_mask = torch.ones(3, 4).bool()
        loss = token_nll(head.tokens(sequence), mask, tokens, text_mask, targets, head.scale())
    elif form == "corpus":
        loss = corpus_nll(head(sequence, mask), texts, torch.zeros(3), targets, head.scale())
    elif form == "sigmoid":
        loss = sigmoid_nll(head(sequence, mask), texts, targets, head.scale(), head.bias)
    else:
        loss = in_batch_nll(head(sequence, mask), texts, targets, head.scale())
    loss.backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_head_gives_unit_vectors_and_a_bounded_scale():
    head = AlignmentHead(16, 8)
    vectors = head(torch.randn(3, 5, 16), torch.ones(3, 5).bool())
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))
    tokens = AlignmentHead(16, 8, "token").tokens(torch.randn(3, 5, 16))
    torch.testing.assert_close(tokens.norm(dim=-1), torch.ones(3, 5))
    assert head.scale().item() == pytest.approx(INITIAL_SCALE, rel=1e-6)
    with torch.no_grad():
        head.log_scale.fill_(math.log(1e6))
    assert head.scale().item() == MAX_SCALE


def test_a_scale_at_its_bound_comes_down_again_as_soon_as_that_lowers_the_loss():
    head = AlignmentHead(8, 4).double()
    optimizer = torch.optim.SGD([head.log_scale], lr=0.1)
    scales = []
    for wanted in (1e3,) * 5 + (50.0,) * 40:
        loss = (head.log_scale.new_tensor(wanted).log() - head.scale().log()) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scales.append(head.scale().item())
    assert max(scales) == scales[4] == MAX_SCALE
    assert scales[5] < MAX_SCALE
    assert scales[-1] == pytest.approx(50, rel=1e-3)


def test_the_gradient_at_the_bound_is_that_of_the_exponential():
    head = AlignmentHead(8, 4).double()
    with torch.no_grad():
        head.log_scale.fill_(math.log(MAX_SCALE) + 1)
    head.scale().backward()
    assert head.log_scale.grad.item() == pytest.approx(MAX_SCALE, rel=1e-12)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="'clip' is unknown"):
        AlignmentHead(8, 8, "clip")
