"""How far each gradient reaches, and what a step's losses are divided by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.model.checkpoint import load_checkpoint, save_checkpoint
from hazardscribe.model.layout import lay_out_convolutions
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.parts import part_of
from hazardscribe.model.prompting import IGNORED, Prompter
from hazardscribe.model.sequences import FirstSequence
from hazardscribe.model.text_bank import TextBank
from hazardscribe.objectives.alignment import FORMS, AlignmentHead, corpus_nll
from hazardscribe.objectives.sampled import draw_texts, sampled_corpus_nll
from hazardscribe.training.batches import Places
from hazardscribe.training.module import SAMPLED_TEXTS, TrainingModule
from hazardscribe.training.recipe import Alignment, Lora, Part, Recipe
from hazardscribe.training.tuning import (
    apply_tuning,
    find_unreached,
    freeze_unreached,
    merged_state,
)

TEXTS = tiny.TEXTS["zh"]
RECIPE = Recipe(start="x")


def module_and_batch(folder, recipe=RECIPE, n=4, texts=TEXTS):
    loaded = load_checkpoint(folder)
    apply_tuning(loaded.vlm, recipe)
    form = recipe.alignment.form
    bank = TextBank(texts, LsaEncoder(texts), with_tokens=form == "token")
    torch.manual_seed(0)
    head = AlignmentHead(
        loaded.vlm.get_input_embeddings().weight.shape[1], bank.vectors.shape[1], form
    )
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(n)]
    batch = prompter.training_batch(photos, TEXTS[:n], 32)
    batch["bank_indices"] = torch.arange(n)
    return TrainingModule(loaded.vlm, head, bank, recipe), batch


def reached(module: TrainingModule) -> dict[str, float]:
    """Sum of absolute gradients by part."""
    sums = dict.fromkeys(("tower", "projector", "llm", "head"), 0.0)
    for name, parameter in module.named_parameters():
        part = "head" if name.startswith("head.") else part_of(name.removeprefix("vlm."))
        if parameter.grad is not None:
            sums[part] += float(parameter.grad.abs().sum())
    return sums


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_places_found_before_are_those_found_in_the_step(family, dropout, family_folder):
    module, batch = module_and_batch(family_folder(family), replace(RECIPE, word_dropout=dropout))
    places = Places.find(batch["input_ids"], batch["labels"], module.image_token_id)
    assert len(set(places.counts)) == 1
    losses = []
    for given in (batch, batch | {"places": places.to("cpu", non_blocking=True)}):
        torch.manual_seed(0)
        losses.append(float(module.train()(given)["caption"].detach()))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("side", [8, 32], ids=["one row of patches", "several"])
@pytest.mark.parametrize("family", ["llava", "fast_vlm", "pixtral"])
def test_the_caption_loss_is_the_ordinary_forwards(family, side, family_folder):
    module, _ = module_and_batch(family_folder(family))
    loaded = load_checkpoint(family_folder(family))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (side, 32, 3), dtype=np.uint8) for _ in range(3)]
    batch = prompter.training_batch(photos, TEXTS[:3], 32)
    labels = batch["labels"]
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        logits = loaded.vlm(**inputs).logits
        ordinary = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        ours = module(batch | {"bank_indices": torch.arange(3)})["caption"]
    torch.testing.assert_close(ours, ordinary, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_the_caption_loss_reaches_tower_projector_and_language_model(family, family_folder):
    module, batch = module_and_batch(family_folder(family))
    module(batch)["caption"].backward()
    sums = reached(module)
    assert sums["head"] == 0
    assert all(sums[part] > 0 for part in ("tower", "projector", "llm"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_the_alignment_loss_reaches_the_encoder_and_its_head_alone(family, form, family_folder):
    recipe = replace(RECIPE, alignment=Alignment(form=form))
    module, batch = module_and_batch(family_folder(family), recipe)
    module(batch)["alignment"].backward()
    sums = reached(module)
    assert sums["llm"] == 0
    assert all(sums[part] > 0 for part in ("tower", "projector", "head"))


def made_up(module: TrainingModule, garbage: float) -> FirstSequence:
    """Photos of 2 to 5 tokens; what stands where there is none must not count."""
    values, noise = torch.randn(2, 4, 5, module.head.norm.weight.shape[0])
    mask = torch.arange(5) < torch.tensor([5, 2, 4, 3])[:, None]
    return FirstSequence(torch.where(mask[..., None], values, garbage * noise), mask, None)


@pytest.mark.parametrize("sampled", [False, True], ids=["exact", "sampled"])
def test_the_corpus_likelihood_counts_texts_and_shares_among_near_ones(
    sampled, family_folder, monkeypatch
):
    texts = [TEXTS[0], *TEXTS, *[TEXTS[3]] * 3]
    recipe = replace(RECIPE, alignment=Alignment(share_above=0.2))
    module, _ = module_and_batch(family_folder("llava"), recipe, texts=texts)
    bank, rows = module.bank, torch.tensor([0, 1, 3, 0])
    assert (bank.vectors @ bank.vectors.T >= 0.2).sum() > len(bank)
    torch.manual_seed(1)
    sequence = made_up(module, 0.0)
    inputs = module.head(sequence.values, sequence.mask), bank.vectors, bank.log_counts, rows
    scale = module.head.scale()
    if sampled:
        monkeypatch.setattr("hazardscribe.training.module.SAMPLED_ABOVE", 0)
        torch.manual_seed(2)
        drawn = draw_texts(bank.cumulative_counts, SAMPLED_TEXTS)
        wanted = sampled_corpus_nll(*inputs, scale, drawn, float(len(texts)), 0.2)
    else:
        wanted = corpus_nll(*inputs, scale, 0.2)
    torch.manual_seed(2)
    assert torch.equal(module._alignment(sequence, rows), wanted)


@pytest.mark.parametrize("form", FORMS)
def test_the_alignment_sees_the_tokens_that_are_there_and_trains_all_of_its_head(
    form, family_folder
):
    module, _ = module_and_batch(
        family_folder("llava"), replace(RECIPE, alignment=Alignment(form=form))
    )
    rows, bank = torch.tensor([0, 1, 3, 0]), module.bank
    if form == "token":  # texts of 1 to 6 tokens
        bank.tokens = torch.nn.functional.normalize(torch.randn(6, 6, bank.mean.shape[0]), dim=-1)
        bank.token_mask = torch.arange(6) < torch.arange(1, 7)[:, None]
    losses = []
    for garbage in (0.0, 9.0):
        torch.manual_seed(1)
        losses.append(module._alignment(made_up(module, garbage), rows))
        if form == "token":
            bank.tokens = bank.tokens.masked_fill(~bank.token_mask[..., None], garbage)
    torch.testing.assert_close(losses[1], losses[0])
    losses[0].backward()
    assert [name for name, one in module.head.named_parameters() if one.grad is None] == []


@pytest.mark.parametrize("reduced", ["tower", "llm"])
def test_each_part_computes_in_the_type_that_the_recipe_says(reduced, family_folder):
    module, batch = module_and_batch(
        family_folder("llava"), replace(RECIPE, **{reduced: Part(compute="bfloat16")})
    )
    with tiny.watched("SiglipEncoderLayer", "LlamaDecoderLayer") as seen:
        module.train()(batch)
    assert seen == {
        "SiglipEncoderLayer": {reduced == "tower"},
        "LlamaDecoderLayer": {reduced == "llm"},
    }


def test_above_a_number_of_texts_the_likelihood_is_estimated_from_a_sample(
    family_folder, monkeypatch
):
    module, batch = module_and_batch(family_folder("llava"))
    exact = float(module(batch)["alignment"].detach())
    monkeypatch.setattr("hazardscribe.training.module.SAMPLED_ABOVE", len(module.bank) - 1)
    torch.manual_seed(0)
    estimate = module(batch)["alignment"]
    assert float(estimate.detach()) != exact
    assert float(estimate.detach()) == pytest.approx(exact, rel=0.02)
    estimate.backward()
    sums = reached(module)
    assert sums["llm"] == 0
    assert all(sums[part] > 0 for part in ("tower", "projector", "head"))


@pytest.mark.parametrize("frozen", ["tower", "projector", "llm"])
def test_a_frozen_part_gets_no_gradient(frozen, family_folder):
    recipe = replace(RECIPE, **{frozen: Part(tune="freeze")})
    module, batch = module_and_batch(family_folder("llava"), recipe)
    sum(module(batch).values()).backward()
    sums = reached(module)
    assert {part for part, total in sums.items() if total == 0} == {frozen}


def test_of_an_adapted_part_only_the_adapters_learn(family_folder):
    recipe = replace(RECIPE, llm=Part(tune="lora"), tower=Part(tune="freeze"))
    module, batch = module_and_batch(family_folder("llava"), recipe)
    trained = {name for name, p in module.vlm.named_parameters() if p.requires_grad}
    assert all("lora_" in name or part_of(name) == "projector" for name in trained)
    assert any("lora_" in name for name in trained)
    assert not any("lm_head" in name for name in trained)
    # "q_proj" is a name of tower and language model alike: only the latter was meant.
    assert not any("lora_" in name and part_of(name) == "tower" for name in trained)
    module(batch)["caption"].backward()
    adapters = [p for name, p in module.vlm.named_parameters() if "lora_B" in name]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapters)


def test_merged_adapters_give_the_adapted_models_logits(family_folder):
    recipe = replace(RECIPE, llm=Part(tune="lora"), tower=Part(tune="lora"), lora=Lora(rank=2))
    module, batch = module_and_batch(family_folder("llava"), recipe)
    with torch.no_grad():
        for name, parameter in module.vlm.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    plain = load_checkpoint(family_folder("llava")).vlm
    inputs = {k: v for k, v in batch.items() if k not in ("labels", "bank_indices")}
    with torch.no_grad():
        adapted, before = module.vlm.eval()(**inputs).logits, plain(**inputs).logits
        state = merged_state(module.vlm)
        assert state is not None
        assert state.keys() == plain.state_dict().keys()
        plain.load_state_dict(state)
        merged = plain(**inputs).logits
    assert (adapted - before).abs().max() > 1e-3
    torch.testing.assert_close(merged, adapted, rtol=1e-4, atol=1e-5)


def test_what_no_loss_reaches_is_frozen(family_folder):
    module, batch = module_and_batch(family_folder("llava"))
    unreached = find_unreached(module, batch)
    # LLaVA takes SigLIP's features from before its last norm, and not from its pooling head.
    of = {name.split("vision_tower.")[1].split(".")[0] for name in unreached}
    assert of == {"post_layernorm", "head"}
    freeze_unreached(module, unreached)
    sum(module(batch).values()).backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_the_search_for_the_unreached_leaves_no_trace(family_folder):
    recipe = replace(RECIPE, tower_norm="moving", llm=Part("lora"), lora=Lora(dropout=0.5))
    module, batch = module_and_batch(family_folder("fast_vlm"), recipe)
    module.train()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    chance = torch.random.get_rng_state()
    find_unreached(module, batch)
    assert module.training
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_fixed_tower_norm_keeps_its_statistics(family_folder):
    frozen = Part("freeze")
    for norm, tower, moves in (
        ("fixed", Part(), False),
        ("moving", Part(), True),
        ("moving", frozen, False),
    ):
        recipe = replace(RECIPE, tower_norm=norm, tower=tower)
        module, batch = module_and_batch(family_folder("fast_vlm"), recipe)
        before = {name: buffer.clone() for name, buffer in module.named_buffers()}
        module.train()(batch)
        changed = [n for n, b in module.named_buffers() if not torch.equal(before[n], b)]
        assert bool(changed) == moves, norm
        awake = {one.training for part in module._tower for one in part.modules()}
        assert awake == {False} if tower is frozen else True in awake


def test_the_language_model_is_left_out_where_only_the_alignment_counts(family_folder):
    module, batch = module_and_batch(family_folder("llava"))
    assert module(batch, caption=False).keys() == {"alignment"}


def test_a_frozen_tower_in_bfloat16_works_beside_a_float32_language_model(family_folder):
    from hazardscribe.describing.generate import Decoding, generate

    recipe = replace(RECIPE, tower=Part(tune="freeze", compute="bfloat16"))
    module, batch = module_and_batch(family_folder("fast_vlm"), recipe)
    sum(module(batch).values()).backward()
    loaded = load_checkpoint(family_folder("fast_vlm"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    photo = np.zeros((48, 48, 3), dtype=np.uint8)
    [made] = generate(module.vlm.eval(), prompter, [photo], Decoding(max_new_tokens=4))
    assert 0 <= made.confidences[0] <= 1


def test_each_part_has_its_learning_rate_and_vectors_do_not_decay(family_folder):
    recipe = replace(
        RECIPE,
        tower=Part(learning_rate=1e-5),
        projector=Part(learning_rate=2e-5),
        llm=Part(learning_rate=3e-5),
        alignment=Alignment(learning_rate=4e-5),
        weight_decay=0.1,
    )
    module, _ = module_and_batch(family_folder("llava"), recipe)
    groups = module.parameter_groups(recipe)
    rates = {group["part"]: group["lr"] for group in groups}
    assert rates == {"tower": 1e-5, "projector": 2e-5, "llm": 3e-5, "head": 4e-5}
    for group in groups:
        assert group["weight_decay"] == (0.1 if group["params"][0].ndim >= 2 else 0.0)
    grouped = {id(p) for group in groups for p in group["params"]}
    assert grouped == {id(p) for p in module.parameters() if p.requires_grad}


def test_channels_last_changes_the_layout_and_not_the_model(family_folder, tmp_path):
    module, batch = module_and_batch(family_folder("fast_vlm"))
    stored = {name: value.clone() for name, value in module.vlm.state_dict().items()}
    with torch.no_grad():
        before = module.eval()(batch)["caption"]
        lay_out_convolutions(module.vlm)
        after = module(batch)["caption"]
    kernels = [p for p in module.vlm.parameters() if p.ndim == 4 and p.shape[1] > 1]
    assert any(not kernel.is_contiguous() for kernel in kernels)
    torch.testing.assert_close(after, before)
    # safetensors stores contiguous tensors only
    loaded = load_checkpoint(family_folder("fast_vlm"))
    save_checkpoint(tmp_path / "model", module.vlm, loaded.processor)
    again = load_checkpoint(tmp_path / "model").vlm.state_dict()
    assert all(torch.equal(again[name], value) for name, value in stored.items())


def test_the_patch_embedding_of_a_vision_transformer_keeps_its_layout(family_folder):
    module, _ = module_and_batch(family_folder("llava"))
    lay_out_convolutions(module.vlm)
    assert all(parameter.is_contiguous() for parameter in module.vlm.parameters())


def test_word_dropout_hides_the_description_alone_and_only_in_training(family_folder):
    recipe = replace(RECIPE, word_dropout=0.5)
    module, batch = module_and_batch(family_folder("llava"), recipe)
    seen: list[torch.Tensor] = []
    words = module.vlm.get_input_embeddings()
    words.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        module.train()(batch)
        module.eval()(batch)
    ids, supervised = batch["input_ids"], batch["labels"] != -100
    description = torch.zeros_like(supervised)
    description[:, 1:] = supervised[:, :-1]
    hidden = seen[0] != ids
    assert 0.2 < hidden[description].float().mean() < 0.8
    assert not hidden[~description].any()
    assert torch.equal(seen[1], ids)


@pytest.mark.parametrize("llm", ["full", "lora", "freeze"])
@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_the_text_before_the_photo_is_read_once_with_the_same_loss_and_gradients(
    family, llm, family_folder
):
    recipe = replace(RECIPE, llm=Part(tune=llm), lora=Lora(dropout=0))
    found = {}
    for way in ("shared", "by parts", "whole"):
        torch.manual_seed(0)
        module, batch = module_and_batch(family_folder(family), recipe)
        assert module._shares_prompt
        module._shares_prompt = way == "shared"
        module._reads_by_parts = way != "whole"
        read: list[int] = []
        layer = module.vlm.model.language_model.layers[0]
        layer.register_forward_pre_hook(
            lambda _, args, read=read: read.append(args[0].shape[:2].numel())
        )
        loss = module(batch)["caption"]
        loss.backward()
        found[way] = (
            loss.detach(),
            {n: p.grad for n, p in module.named_parameters() if p.grad is not None},
            sum(read),
        )
    wanted, exact, all_tokens = found["whole"]
    n, length = batch["input_ids"].shape
    before = batch["input_ids"][0].tolist().index(module.image_token_id)
    assert all_tokens == n * length
    assert found["shared"][2] == before + n * (length - before)
    for loss, gradients, _ in found.values():
        torch.testing.assert_close(loss, wanted)
        assert gradients.keys() == exact.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, exact[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, activation_checkpointing=True),
        replace(RECIPE, llm=Part(tune="lora"), lora=Lora(dropout=0.1)),
    ],
)
def test_with_dropout_or_recomputed_activations_each_row_reads_its_own_prompt(
    recipe, family_folder
):
    module, _ = module_and_batch(family_folder("llava"), recipe)
    assert not module._shares_prompt


def test_nor_with_dropout_in_the_attention(family_folder):
    vlm = load_checkpoint(family_folder("llava")).vlm
    vlm.model.language_model.config.attention_dropout = 0.1
    assert not TrainingModule(vlm, None, None, RECIPE)._shares_prompt
