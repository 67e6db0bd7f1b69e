"""BLEU, CIDEr-D and ROUGE-L equal the public implementations."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from evaluation_texts import groups, sentences

from hazardscribe.evaluation.bleu import bleu_counts, bleu_from_counts
from hazardscribe.evaluation.cider import CiderD, cider_d
from hazardscribe.evaluation.rouge import lcs_lengths, rouge_l
from hazardscribe.evaluation.tokens import tokenizers

SETS = [
    (language, suffix, most)
    for language, suffixes in (("zh", ("", "_word")), ("en", ("",)))
    for suffix in suffixes
    for most in (1, 4)
]


def tokenised(language: str, suffix: str, most: int, count: int = 60):
    split = tokenizers(language)[suffix]
    candidates = [split(text) for text in sentences(language, count, seed=1)]
    candidates[3], candidates[5] = [], candidates[5][:1]  # nothing, and a single token
    references = [
        [split(text) for text in group] for group in groups(language, count, most, seed=2)
    ]
    references[7][0] = references[7][0][:1]
    candidates[9] = references[9][0]
    return candidates, references


def reference_scores(scorer, candidates, references) -> np.ndarray:
    """Per-photo scores of a pycocoevalcap scorer."""
    gts = {i: [" ".join(text) for text in group] for i, group in enumerate(references)}
    res = {i: [" ".join(text)] for i, text in enumerate(candidates)}
    return np.asarray(scorer.compute_score(gts, res)[1])


@pytest.mark.parametrize(("language", "suffix", "most"), SETS)
def test_cider_d_equals_the_reference_implementation(language, suffix, most):
    from pycocoevalcap.cider.cider import Cider

    candidates, references = tokenised(language, suffix, most)
    expected = reference_scores(Cider(), candidates, references)
    assert expected.max() > 5
    np.testing.assert_allclose(cider_d(candidates, references), expected, atol=1e-6)


@pytest.mark.parametrize(("language", "suffix", "most"), SETS)
def test_rouge_l_equals_the_reference_implementation(language, suffix, most):
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, references = tokenised(language, suffix, most)
    expected = reference_scores(Rouge(), candidates, references)
    np.testing.assert_allclose(rouge_l(candidates, references), expected, atol=1e-6)


def test_cider_d_of_permuted_candidates_equals_scoring_them_anew():
    candidates, references = tokenised("zh", "", 3)
    order = np.random.default_rng(0).permutation(len(candidates))
    cider = CiderD(references)
    places = np.argsort(order)
    moved = cider.scores(cider.weigh(candidates), places)
    anew = cider_d([candidates[i] for i in order], references)
    np.testing.assert_allclose(moved, anew[places], atol=1e-12)


@pytest.mark.parametrize(
    ("references", "informative"),
    [
        ([[["a", "b"]]], False),
        ([[["a", "b"]], [["a", "b"]]], False),
        ([[["a", "b"]], [["b", "a"]]], True),
        ([[["a"], ["b"]], [["b"], ["a"]]], False),
        ([[[]], [[]]], False),
    ],
)
def test_cider_d_knows_when_it_says_nothing(references, informative):
    assert CiderD(references).informative is informative
    if not informative:
        assert not cider_d([group[0] for group in references], references).any()


def test_cider_d_of_a_perfect_candidate_is_ten():
    texts = [list("未佩戴安全帽"), list("配电箱未接地线"), list("通道堵塞杂物堆放")]
    np.testing.assert_allclose(cider_d(texts, [[text] for text in texts]), 10.0)


def test_longest_common_subsequence_of_many_pairs():
    # longer than one chunk, unequal lengths
    first = [[1, 2, 3, 4], [], [5, 1, 5], [7]] * 1100
    second = [[2, 9, 4], [1], [5, 5, 5, 5], []] * 1100
    assert lcs_lengths(first, second).tolist() == [2, 0, 2, 0] * 1100


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize(("language", "tokenize"), [("zh", "zh"), ("en", "none")])
def test_bleu_is_sacrebleus_without_smoothing(language, tokenize, most):
    candidates = sentences(language, 50, seed=1)
    references = groups(language, 50, most, seed=2)
    sums = bleu_counts(candidates, references, tokenize).sum(axis=0)
    streams = [[group[i] if i < len(group) else None for group in references] for i in range(most)]
    for order in (1, 4):
        bleu = sacrebleu.BLEU(tokenize=tokenize, smooth_method="none", max_ngram_order=order)
        expected = bleu.corpus_score(candidates, streams).score / 100
        assert expected > 0.1
        assert float(bleu_from_counts(sums, order)) == pytest.approx(expected, abs=1e-9)


def test_bleu_gives_nothing_for_length_beyond_the_references():
    references = groups("en", 50, 2, seed=2)
    candidates = [f"{first} {second}" for first, *_, second in ([*g, g[0]] for g in references)]
    sums = bleu_counts(candidates, references, "none").sum(axis=0)
    streams = [[group[i] if i < len(group) else None for group in references] for i in range(2)]
    bleu = sacrebleu.BLEU(tokenize="none", smooth_method="none")
    expected = bleu.corpus_score(candidates, streams)
    assert expected.bp == 1 < expected.sys_len / expected.ref_len
    assert float(bleu_from_counts(sums, 4)) == pytest.approx(expected.score / 100, abs=1e-9)


def test_bleu_without_a_match_is_zero_and_silent(recwarn):
    sums = bleu_counts(["", "ab"], [["x y z"], ["q"]], "none").sum(axis=0)
    assert float(bleu_from_counts(sums, 4)) == 0.0
    assert float(bleu_from_counts(np.zeros(10), 4)) == 0.0
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_cider_d_of_single_candidates_equals_that_of_the_set(language):
    candidates, references = tokenised(language, "", 3)
    cider = CiderD(references)
    found = [
        float(cider.scores(cider.weigh([candidate]), np.array([photo]))[0])
        for photo, candidate in enumerate(candidates)
    ]
    np.testing.assert_allclose(found, cider_d(candidates, references), rtol=1e-9, atol=1e-12)
    assert max(found) > 0.1
