"""Layers of equalised learning rate against closed forms: outputs, gradients, and how far an optimiser moves them."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adversaria.nn.equalised import EqualisedConv2d, EqualisedLinear

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
@pytest.mark.parametrize("inputs", [3, 50, 400])
def test_outputs_have_the_variance_gain_squared_times_the_mean_square_of_the_inputs(inputs, gain):
    """Over draws of the weights, y = c w x is normal with variance c^2 |x|^2 = gain^2 |x|^2 / inputs."""
    n = 20_000
    x = 3 * torch.randn(1, inputs)
    y = EqualisedLinear(inputs, n, gain)(x)[0].detach()
    expected = gain**2 * float(x.square().mean())
    assert float(y.square().mean()) == pytest.approx(expected, rel=5 * math.sqrt(2 / n))
    assert abs(float(y.mean())) < 5 * math.sqrt(expected / n)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_s_fan_in_counts_its_kernel(kernel):
    n, channels = 4_000, 6
    x = torch.randn(1, channels, 5, 7)
    y = EqualisedConv2d(channels, n, kernel)(x)[0].detach()
    assert y.shape == (n, 5, 7)
    reach = kernel // 2
    seen = x[0, :, 2 - reach : 3 + reach, 3 - reach : 4 + reach]  # what the output at (2, 3) looks at
    expected = 2 * float(seen.square().sum()) / (channels * kernel**2)
    assert float(y[:, 2, 3].square().mean()) == pytest.approx(expected, rel=5 * math.sqrt(2 / n))


def test_the_second_moment_goes_through_many_rectified_layers():
    """With gain sqrt 2 and ReLU each layer keeps E x^2, at any width (He et al. 2015, Eq. 10)."""
    widths = [40, 500, 30, 600, 300, 400]
    x = torch.randn(300, 40)
    moments = []
    for _ in range(10):
        h = x
        for a, b in pairwise(widths):
            h = F.relu(EqualisedLinear(a, b)(h)).detach()
        moments.append(float(h.square().mean()))
    assert sum(moments) / len(moments) == pytest.approx(float(x.square().mean()), rel=0.2)


LAYERS = [
    (EqualisedLinear(7, 4), nn.Linear(7, 4), (5, 7), math.sqrt(2 / 7)),
    (EqualisedLinear(7, 4, gain=1), nn.Linear(7, 4), (5, 7), math.sqrt(1 / 7)),
    (EqualisedConv2d(3, 4), nn.Conv2d(3, 4, 3, padding=1), (2, 3, 5, 6), math.sqrt(2 / 27)),
    (EqualisedConv2d(3, 4, 1, gain=1), nn.Conv2d(3, 4, 1), (2, 3, 5, 6), math.sqrt(1 / 3)),
]


@pytest.mark.parametrize(("layer", "plain", "shape", "c"), LAYERS)
def test_it_is_the_plain_layer_of_scaled_weights_whose_gradient_is_scaled_once_more(layer, plain, shape, c):
    layer, plain = layer.double(), plain.double()
    with torch.no_grad():
        layer.bias.normal_()
        plain.weight.copy_(c * layer.weight)
        plain.bias.copy_(layer.bias)
    x = torch.randn(shape, requires_grad=True)
    y, z = layer(x), plain(x)
    torch.testing.assert_close(y, z)
    direction = torch.randn(y.shape)
    mine = torch.autograd.grad((y * direction).sum(), (layer.weight, layer.bias, x))
    theirs = torch.autograd.grad((z * direction).sum(), (plain.weight, plain.bias, x))
    torch.testing.assert_close(mine[0], c * theirs[0])
    torch.testing.assert_close(mine[1:], theirs[1:])


def test_a_step_of_adam_is_the_same_share_of_the_weights_in_every_layer():
    """What is used, c w, moves by c times the rate, and has the standard deviation c."""
    for inputs in (4, 100, 2500):
        layer = EqualisedLinear(inputs, 8)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01, betas=(0.0, 0.99), eps=1e-12)
        before = layer.weight.detach().clone()
        layer(torch.randn(16, inputs)).square().sum().backward()
        optimizer.step()
        moved = (layer.weight.detach() - before).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.01))


@pytest.mark.parametrize("layer", [EqualisedLinear(200, 100), EqualisedConv2d(20, 100)])
def test_weights_are_standard_normal_and_offsets_zero_at_first_and_when_reset(layer):
    for _ in range(2):
        w = layer.weight.detach()
        n = w.numel()
        assert abs(float(w.mean())) < 5 / math.sqrt(n)
        assert float(w.square().mean()) == pytest.approx(1, abs=5 * math.sqrt(2 / n))
        assert not layer.bias.any()
        nn.init.ones_(layer.weight)
        nn.init.ones_(layer.bias)
        layer.reset_parameters()
