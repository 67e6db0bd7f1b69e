"""oneDNN's products and their gradients, beside float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hazardscribe.training import products
from hazardscribe.training.products import OneDnnLinear, available, pays, use_onednn

pytestmark = pytest.mark.skipif(not available(), reason="this PyTorch holds no oneDNN")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(48,), (7, 48), (3, 5, 48), (1, 1, 48)])
def test_products_and_gradients_are_those_of_float64(bias, shape):
    torch.manual_seed(0)
    reference = nn.Linear(48, 33, bias=bias)
    layer = copy.deepcopy(reference)
    use_onednn(layer)
    assert type(layer) is OneDnnLinear
    reference.double()
    x, of_y = torch.randn(shape), torch.randn(*shape[:-1], 33)
    given, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    y, wanted = layer(given), reference(exact)
    y.backward(of_y)
    wanted.backward(of_y.double())
    torch.testing.assert_close(y.double(), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(given.grad.double(), exact.grad, rtol=1e-5, atol=1e-5)
    for one, other in zip(layer.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one.grad.double(), other.grad, rtol=1e-5, atol=1e-5)


def test_a_frozen_layer_hands_its_gradient_on_and_gets_none():
    layer = nn.Linear(8, 8).requires_grad_(False)
    use_onednn(layer)
    x = torch.randn(2, 8, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(2, 8))
    assert layer.weight.grad is None


def test_a_transposed_input_and_a_shared_weight_are_right():
    layer, other = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
    other.weight = layer.weight
    both = nn.ModuleList([layer, other])
    use_onednn(both)
    x = torch.randn(16, 4).t().requires_grad_()
    (layer(x) + other(x)).square().sum().backward()
    weight, plain = layer.weight.detach().clone().requires_grad_(), x.detach().clone()
    (2 * plain @ weight.t()).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)


def test_what_onednn_is_not_asked_for_is_done_as_before():
    layer = nn.Linear(8, 4)
    use_onednn(layer)
    x = torch.randn(3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert layer(x[:0]).shape == (0, 4)
    assert copy.deepcopy(layer).double()(x.double()).dtype == torch.float64


def test_names_parameters_and_subclasses_stay():
    class Special(nn.Linear):
        pass

    module = nn.Sequential(nn.Linear(4, 4), Special(4, 4))
    before = {name: id(one) for name, one in module.named_parameters()}
    use_onednn(module)
    assert {name: id(one) for name, one in module.named_parameters()} == before
    assert type(module[1]) is Special


@pytest.mark.parametrize(("maker", "expected"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_intels_own_processors_keep_intels_own_products(maker, expected, tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nvendor_id\t: {maker}\n", encoding="utf-8")
    assert pays(info) is expected


@pytest.mark.parametrize("gpu", [False, True])
def test_layers_that_a_gpu_runs_are_left_alone(gpu, monkeypatch):
    monkeypatch.setattr(products, "pays", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    module = nn.Sequential(nn.Linear(8, 8))
    products.use_faster_products(module)
    assert type(module[0]) is (nn.Linear if gpu else OneDnnLinear)
