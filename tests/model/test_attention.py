"""Attention over short texts, beside its formula in float64 and transformers' own."""

from __future__ import annotations

import pytest
import torch
from transformers.models.llama.modeling_llama import eager_attention_forward

from hazardscribe.model import attention
from hazardscribe.model.attention import NAME, short_attention, use_short_attention
from hazardscribe.model.checkpoint import load_checkpoint, save_checkpoint


def tensors(dtype=torch.float32, length=5, keys=8, heads=6, shared=2):
    torch.manual_seed(0)
    query = torch.randn(3, heads, length, 4)
    key, value = torch.randn(2, 3, shared, keys, 4)
    given = [one.to(dtype).requires_grad_() for one in (query, key, value)]
    mask = torch.ones(length, keys).triu(1 + keys - length).bool()
    return *given, torch.zeros(3, 1, length, keys).masked_fill(mask, -torch.inf).to(dtype)


def formula(query, key, value, mask, scale):
    """softmax(Q K^T * scale + M) V in float64, keys and values copied for their heads."""
    times = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    scores = torch.einsum("bhld,bhsd->bhls", query, key) * scale + mask
    return torch.einsum("bhls,bhsd->blhd", scores.softmax(-1), value)


@pytest.mark.parametrize("shared", [1, 2, 6])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_values_and_gradients_are_those_of_the_formula(scaling, shared):
    query, key, value, mask = tensors(shared=shared)
    found, none = short_attention(torch.nn.Module(), query, key, value, mask, scaling)
    exact = [one.detach().double().requires_grad_() for one in (query, key, value)]
    wanted = formula(*exact, mask.double(), 0.5 if scaling is None else scaling)
    of_y = torch.randn(found.shape)
    found.backward(of_y)
    wanted.backward(of_y.double())
    assert none is None
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    for one, other in zip((query, key, value), exact, strict=True):
        torch.testing.assert_close(one.grad.double(), other.grad, rtol=1e-5, atol=1e-6)


def test_in_bfloat16_it_is_as_near_to_the_formula_as_transformers_own_products():
    query, key, value, mask = tensors(torch.bfloat16, length=24, keys=32)
    wanted = formula(*(one.double() for one in (query, key, value, mask)), 0.5)
    module = torch.nn.Module()
    module.num_key_value_groups = 3
    found, _ = short_attention(module, query, key, value, mask, 0.5)
    theirs, _ = eager_attention_forward(module, query, key, value, mask, scaling=0.5)
    error, their_error = ((one.double() - wanted).abs().mean() for one in (found, theirs))
    assert error < 1.2 * their_error


MORE = ("s_aux", "position_bias", "cache")


@pytest.mark.parametrize("why", ["no mask", "words to see", "long", "dropout", *MORE])
def test_what_does_not_fit_goes_to_pytorchs_kernel(why, monkeypatch):
    query, key, value, mask = tensors()
    module = torch.nn.Module()
    module.num_key_value_groups = 3
    if why == "long":
        monkeypatch.setattr(attention, "LONGEST", key.shape[2] - 1)
    given = {"no mask": None, "words to see": mask == 0}.get(why, mask)
    calls = []
    kernel = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *args, **kwargs: calls.append(1) or kernel(*args, **kwargs),
    )
    found, _ = short_attention(
        module,
        query,
        key,
        value,
        given,
        scaling=0.3,
        dropout=0.5 if why == "dropout" else 0.0,
        is_causal=False,
        **({why: torch.zeros_like(mask)} if why in MORE else {}),
    )
    assert calls
    assert found.shape == (3, 5, 6, 4)
    if why != "dropout":
        seen = torch.zeros_like(mask) if why == "no mask" else mask
        wanted = formula(*(one.double() for one in (query, key, value, seen)), 0.3)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_a_model_says_the_same_and_what_is_saved_does_not_tell(
    family, family_folder, tmp_path, monkeypatch
):
    plain, ours = (load_checkpoint(family_folder(family)) for _ in range(2))
    use_short_attention(ours.vlm)
    assert ours.vlm.model.language_model.config._attn_implementation == NAME
    ids = torch.randint(0, 100, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, 6:] = 0  # padding on the right
    states = []
    for one in (plain, ours):
        with torch.no_grad(), monkeypatch.context() as patch:
            if one is ours:  # which PyTorch's kernel has no part in
                patch.setattr(torch.nn.functional, "scaled_dot_product_attention", None)
            read = one.vlm.model.language_model(input_ids=ids, attention_mask=mask)
            states.append(read.last_hidden_state)
    wanted, found = states
    torch.testing.assert_close(found[mask.bool()], wanted[mask.bool()], rtol=1e-4, atol=1e-5)
    save_checkpoint(tmp_path / "model", ours.vlm, ours.processor)
    assert NAME not in (tmp_path / "model" / "config.json").read_text()
    again = load_checkpoint(tmp_path / "model")
    assert again.vlm.model.language_model.config._attn_implementation == "sdpa"


def test_other_families_and_other_kernels_are_left_alone(family_folder):
    other = load_checkpoint(family_folder("smolvlm")).vlm
    use_short_attention(other)
    configs = [one.config for one in other.modules() if hasattr(one, "config")]
    assert NAME not in {config._attn_implementation for config in configs}
    for kernel in ("eager", "flex_attention"):
        vlm = load_checkpoint(family_folder("llava")).vlm
        vlm.model.language_model.set_attn_implementation(kernel)
        use_short_attention(vlm)
        assert vlm.model.language_model.config._attn_implementation == kernel
