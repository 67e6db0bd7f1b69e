"""The second sequence: what encoders give, how it is pooled, and that it is computed once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model import text_bank
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.sequences import pool_sequence, second_sequence
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.text_encoder import (
    HubEncoder,
    default_pooling,
    embed,
    load_text_encoder,
)

TEXTS = tiny.TEXTS["zh"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = tiny.make_tokenizer("[CLS]", eos="[SEP]")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def count_calls(encoder, monkeypatch) -> list[int]:
    calls: list[int] = []
    former = encoder.encode

    def encode(texts):
        calls.append(len(texts))
        return former(texts)

    monkeypatch.setattr(encoder, "encode", encode)
    return calls


def test_lsa_is_the_same_whatever_the_order_of_its_corpus():
    forwards, backwards = LsaEncoder(TEXTS), LsaEncoder(TEXTS[::-1] + TEXTS[:2])
    assert forwards.identity == backwards.identity
    values, mask = second_sequence(forwards, TEXTS)
    assert values.shape == (6, 1, forwards.dim)
    assert mask.all()
    assert torch.equal(values, second_sequence(backwards, TEXTS)[0])


def test_lsa_puts_like_texts_together():
    encoder = LsaEncoder(TEXTS)
    a, b, c = embed(encoder, ["一名工人未佩戴安全帽", "两名工人未佩戴安全帽", "消防通道被杂物堵塞"])
    assert a @ b > 0.5 > a @ c


@pytest.mark.parametrize("corpus", [["同一句"], ["a", "A"], ["a", "b"]])
def test_lsa_copes_with_hardly_any_text(corpus):
    encoder = LsaEncoder(corpus)
    values, _ = encoder.encode(corpus)
    assert values.shape == (len(corpus), 1, encoder.dim)
    assert torch.isfinite(values).all()
    bank = TextBank(corpus, encoder)
    assert torch.isfinite(bank.vectors).all()


def test_a_hub_encoder_gives_token_states_under_a_mask(bert):
    encoder = HubEncoder(str(bert))
    texts = ["短", "更长的描述"]
    values, mask = second_sequence(encoder, texts)
    assert values.shape == (2, 15, 16)
    assert mask.sum(1).tolist() == [3, 15]
    assert not values.requires_grad
    # Padding changes nothing: a text alone gives the same vector.
    alone = pool_sequence(*encoder.encode(["短"]))
    torch.testing.assert_close(pool_sequence(values, mask)[:1], alone)


def test_pooling_is_what_its_name_says(bert):
    values, mask = HubEncoder(str(bert)).encode(["短", "更长的描述"])
    cls = pool_sequence(values, mask, "cls")
    assert torch.equal(cls, F.normalize(values[:, 0], dim=-1))
    mean = pool_sequence(values, mask, "mean")
    torch.testing.assert_close(mean[0], F.normalize(values[0, :3].mean(0), dim=-1))
    with pytest.raises(ValueError, match="'max' is unknown"):
        pool_sequence(values, mask, "max")


def test_a_prefix_is_put_in_front(bert):
    plain, prefixed = HubEncoder(str(bert)), HubEncoder(str(bert), "query: ")
    assert torch.equal(prefixed.encode(["描述"])[0], plain.encode(["query: 描述"])[0])
    assert plain.identity != prefixed.identity


def test_a_folder_states_its_pooling(tmp_path):
    assert default_pooling(str(tmp_path)) == "mean"
    assert default_pooling("lsa") == "mean"
    stated = tmp_path / "1_Pooling" / "config.json"
    stated.parent.mkdir()
    stated.write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert default_pooling(str(tmp_path)) == "cls"


@pytest.mark.parametrize(
    "stated",
    [
        {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False},
        {"pooling_mode": "lasttoken"},
        {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
    ],
)
def test_a_pooling_that_we_have_not_is_refused(stated, tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(stated))
    with pytest.raises(InputError, match=r"is made for the pooling .*alignment\.pooling"):
        default_pooling(str(tmp_path))


def test_a_cached_name_is_read_like_its_folder(bert, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--acme--enc" / "snapshots" / "abc"
    shutil.copytree(bert, snapshot)
    (snapshot / "1_Pooling").mkdir()
    (snapshot / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    refs = tmp_path / "models--acme--enc" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    assert default_pooling("acme/enc") == "cls"
    before = HubEncoder("acme/enc")
    torch.testing.assert_close(embed(before, TEXTS), embed(HubEncoder(str(bert)), TEXTS))
    # Other weights under the same name and settings: their vectors may not come from the cache.
    os.utime(snapshot / "model.safetensors", (1, 1))
    assert HubEncoder("acme/enc").identity != before.identity


def test_what_is_no_text_encoder_is_refused(tmp_path):
    with pytest.raises(InputError, match="so it is not a model folder"):
        load_text_encoder(str(tmp_path), TEXTS)
    with pytest.raises(InputError, match="no such name in the local Hugging Face cache"):
        load_text_encoder("nobody/no-such-encoder", TEXTS)


def test_the_bank_counts_texts_and_centres_vectors(bert):
    encoder = HubEncoder(str(bert))
    bank = TextBank([TEXTS[0], TEXTS[1], TEXTS[0]], encoder)
    assert bank.texts == TEXTS[:2]
    assert [bank.index(text) for text in TEXTS[:2]] == [0, 1]
    torch.testing.assert_close(bank.log_counts, torch.tensor([2.0, 1.0]).log())
    raw = embed(encoder, TEXTS[:2])
    torch.testing.assert_close(bank.vectors, F.normalize(raw - raw.mean(0), dim=-1))
    assert not bank.state_dict()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_texts_that_are_not_of_the_bank_are_embedded_beside_those_that_are(bert, pooling):
    encoder = HubEncoder(str(bert))
    bank = TextBank(TEXTS[:3], encoder, pooling=pooling)
    asked = ["新的描述", TEXTS[1], "another", "新的描述", TEXTS[0]]
    raw = [embed(encoder, texts, pooling) for texts in (asked, TEXTS[:3])]
    wanted = F.normalize(raw[0] - raw[1].mean(0), dim=-1)
    torch.testing.assert_close(bank.embed(asked), wanted)


def test_the_banks_tokens_are_unit_vectors_under_their_mask(bert, monkeypatch):
    monkeypatch.setattr(text_bank, "BATCH", 2)
    texts, encoder = ["短", "更长的描述", "长的", "描述"], HubEncoder(str(bert))
    bank = TextBank(texts, encoder, with_tokens=True)
    assert bank.tokens.shape == (4, 15, 16)
    for text, tokens, mask in zip(texts, bank.tokens, bank.token_mask, strict=True):
        [alone], _ = encoder.encode([text])
        torch.testing.assert_close(tokens[mask], F.normalize(alone, dim=-1))


def test_vectors_are_computed_once_for_model_pooling_prefix_and_text(bert, monkeypatch, tmp_path):
    cache = tmp_path / "cache" / "vectors.sqlite"

    def bank(texts, prefix="", pooling="mean"):
        encoder = HubEncoder(str(bert), prefix)
        calls = count_calls(encoder, monkeypatch)
        return TextBank(texts, encoder, pooling=pooling, cache=cache), sum(calls)

    first, encoded = bank(TEXTS[:4])
    assert encoded == 4
    again, encoded = bank(TEXTS[:4])
    assert encoded == 0
    assert torch.equal(first.vectors, again.vectors)
    assert bank(TEXTS[:5])[1] == 1
    assert bank(TEXTS[:4], prefix="query: ")[1] == 4
    assert bank(TEXTS[:4], pooling="cls")[1] == 4
    weights = bert / "model.safetensors"
    stat = weights.stat()
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))  # another revision
    assert bank(TEXTS[:4])[1] == 4


def test_what_was_encoded_before_a_kill_is_kept(bert, tmp_path, monkeypatch):
    monkeypatch.setattr(text_bank, "_KEPT_AT_ONCE", 2)
    cache, texts = tmp_path / "vectors.sqlite", [f"text {i}" for i in range(5)]
    encoder = HubEncoder(str(bert))
    embed, seen = text_bank.embed, []

    def killed(encoder, some, pooling):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.extend(some)
        return embed(encoder, some, pooling)

    monkeypatch.setattr(text_bank, "embed", killed)
    with pytest.raises(KeyboardInterrupt):
        TextBank(texts, encoder, cache=cache)
    seen.clear()
    again = TextBank(texts, encoder, cache=cache)
    assert seen == texts[4:]
    torch.testing.assert_close(again.vectors, TextBank(texts, encoder).vectors)


def test_a_damaged_cache_is_told_and_made_anew(bert, tmp_path, caplog):
    cache, texts = tmp_path / "vectors.sqlite", ["消防通道被堵塞", "护栏缺失"]
    cache.write_bytes(b"no database" * 100)
    encoder = HubEncoder(str(bert))
    bank = TextBank(texts, encoder, cache=cache)
    assert "the cache of vectors of texts cannot be used" in caplog.text
    torch.testing.assert_close(bank.vectors, TextBank(texts, encoder).vectors)
    TextBank(["护栏缺失"], encoder, cache=cache)
    assert cache.read_bytes().startswith(b"SQLite format 3")


def test_a_layer_that_is_left_out_is_told(bert, tmp_path, caplog):
    folder = shutil.copytree(bert, tmp_path / "encoder")
    (folder / "2_Dense").mkdir()
    HubEncoder(str(folder))
    assert "2_Dense" in caplog.text
