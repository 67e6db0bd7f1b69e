"""A kept bank gives the same vectors, without fitting anything, and says what it lacks."""

from __future__ import annotations

import json
import logging
import shutil

import pytest
import torch

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model.bank_file import BANK_FILE, BANK_TEXTS_FILE, load_bank, save_bank
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.text_encoder import HubEncoder

TEXTS = tiny.TEXTS["zh"]
NEW = ["三名工人未佩戴安全帽", "全新的描述 abc", ""]


@pytest.mark.parametrize("corpus", [TEXTS, ["同一句"], ["a", "b"]])
def test_lsa_comes_back_bit_for_bit_and_unfitted(corpus, tmp_path, monkeypatch):
    bank = TextBank([*corpus, corpus[0]], LsaEncoder(corpus))
    save_bank(tmp_path, bank)
    monkeypatch.setattr("sklearn.decomposition.TruncatedSVD.fit", None)
    monkeypatch.setattr("sklearn.feature_extraction.text.TfidfVectorizer.fit_transform", None)
    again = load_bank(tmp_path)
    assert again.texts == bank.texts
    for name in ("vectors", "mean", "log_counts"):
        assert torch.equal(getattr(again, name), getattr(bank, name))
    assert torch.equal(again.embed(NEW), bank.embed(NEW))
    assert torch.equal(again.embed(corpus), bank.vectors)
    assert again.encoder.identity == bank.encoder.identity


@pytest.fixture
def bert(tmp_path):
    from transformers import BertConfig, BertModel

    tokenizer = tiny.make_tokenizer("[CLS]", eos="[SEP]")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=16, **sizes)
    BertModel(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@pytest.mark.parametrize("corpus", [TEXTS, ["同一句"]])
def test_a_hub_encoder_is_found_again_where_it_lies(corpus, bert, tmp_path, monkeypatch):
    monkeypatch.chdir(bert.parent)
    bank = TextBank(corpus, HubEncoder(bert.name, "query: "), pooling="cls")
    save_bank(tmp_path, bank)
    monkeypatch.chdir("/")  # a model is described with from anywhere
    torch.testing.assert_close(load_bank(tmp_path).embed(NEW), bank.embed(NEW))


def test_without_its_encoder_a_bank_knows_its_own_texts(bert, tmp_path, caplog):
    bank = TextBank(TEXTS, HubEncoder(str(bert)))
    save_bank(tmp_path, bank)
    shutil.rmtree(bert)
    with caplog.at_level(logging.WARNING):
        again = load_bank(tmp_path)
        assert torch.equal(again.embed(TEXTS[2:4]), bank.vectors[2:4])
        assert not caplog.text  # it was not needed
        assert again.embed([TEXTS[0], "neu"]) is None
        assert again.embed(["neu"]) is None
    assert caplog.text.count("is not to be had") == 1


def test_another_encoder_in_its_place_is_noticed(bert, tmp_path, caplog):
    from transformers import AutoModel

    encoder = HubEncoder(str(bert))
    save_bank(tmp_path, TextBank([*TEXTS, "Q"], encoder))
    model = AutoModel.from_pretrained(bert)
    # Of what is compared, one text alone has this letter.
    [letter] = encoder._tokenizer("Q")["input_ids"]
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[letter] *= -1
    model.save_pretrained(bert)
    with caplog.at_level(logging.WARNING):
        assert load_bank(tmp_path).encoder is None
    assert "not the one this model was trained with" in caplog.text


def test_a_folder_without_a_bank_has_none_and_a_damaged_one_is_told(tmp_path):
    assert load_bank(tmp_path) is None
    save_bank(tmp_path, TextBank(TEXTS, LsaEncoder(TEXTS)))
    stored = json.loads((tmp_path / BANK_TEXTS_FILE).read_text(encoding="utf-8"))
    stored["texts"].pop()
    (tmp_path / BANK_TEXTS_FILE).write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(InputError, match="texts and vectors differ in number"):
        load_bank(tmp_path)
    (tmp_path / BANK_FILE).write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"text_bank\.safetensors: is damaged"):
        load_bank(tmp_path)
