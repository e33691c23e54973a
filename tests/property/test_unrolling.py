"""Gradients through k steps of gradient descent against finite differences."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from adversaria.data import Batch, DataSpec
from adversaria.objectives.adversarial import is_real
from adversaria.ops import descend
from adversaria.recipes.adversarial.unrolled_gan import UnrolledGAN

pytestmark = pytest.mark.usefixtures("float64")


def central_difference(f, parameter, h=1e-5):
    """df/d parameter, one coordinate after the other, of a function that reads the parameter's data."""
    flat, out = parameter.data.view(-1), torch.zeros_like(parameter).view(-1)
    for i in range(len(flat)):
        at = flat[i].item()
        flat[i] = at + h
        up = f().item()
        flat[i] = at - h
        down = f().item()
        flat[i] = at
        out[i] = (up - down) / (2 * h)
    return out.view_as(parameter)


def network():
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_gradient_through_the_steps_equals_finite_differences(steps):
    net, x = network(), torch.randn(6, 2)
    a = nn.Parameter(torch.randn(3, 2))

    def loss(theta):
        y = functional_call(net, dict(theta), (x,)) - functional_call(net, dict(theta), (a,)).mean().sin()
        return y.square().mean()

    def after():
        return functional_call(net, descend(net, loss, steps, lr=0.3), (a,)).tanh().sum()

    (gradient,) = torch.autograd.grad(after(), a)
    torch.testing.assert_close(gradient, central_difference(after, a), rtol=1e-7, atol=1e-9)
    # ... and the path through the steps carries a part of it.
    theta = {name: p.detach() for name, p in descend(net, loss, steps, lr=0.3).items()}
    (direct,) = torch.autograd.grad(functional_call(net, theta, (a,)).tanh().sum(), a)
    assert (gradient - direct).abs().max() > 1e-3


def test_steps_are_those_of_sgd():
    net, x = network(), torch.randn(6, 2)
    after = descend(net, lambda theta: functional_call(net, dict(theta), (x,)).square().mean(), steps=4, lr=0.2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    for _ in range(4):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    for name, p in net.named_parameters():
        torch.testing.assert_close(after[name], p)


def test_no_step_returns_the_parameters_themselves():
    net = network()
    theta = descend(net, lambda theta: 1 / 0, steps=0, lr=1.0)
    assert all(theta[name] is p for name, p in net.named_parameters())


def test_the_network_is_left_as_it_is():
    net, x = network(), torch.randn(6, 2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    descend(net, lambda theta: functional_call(net, dict(theta), (x,)).square().mean(), steps=3, lr=0.2)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_frozen_parameters_and_those_the_loss_does_not_see_stay():
    net, x = network(), torch.randn(6, 2)
    net[0].weight.requires_grad_(False)
    net.register_parameter("idle", nn.Parameter(torch.ones(1)))
    after = descend(net, lambda theta: functional_call(net[0], {
        "weight": theta["0.weight"], "bias": theta["0.bias"]}, (x,)).square().mean(), steps=2, lr=0.2)  # fmt: skip
    assert after["0.weight"] is net[0].weight and after["idle"] is net.idle and after["2.bias"] is net[2].bias
    assert not torch.equal(after["0.bias"], net[0].bias)


def unrolled(k, **settings):
    recipe = UnrolledGAN(latent=2, hidden=3, depth=1, unroll=k, step=0.5, **settings)
    game = recipe.build(DataSpec(kind="points", shape=(2,)))
    return game, {p.name: p for p in game.stage().players}, Batch(torch.randn(6, 2) + 1)


def seeded(objective, batch):
    torch.manual_seed(7)
    return sum(objective(batch).values())


@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_unrolled_generators_gradient_equals_finite_differences_of_its_objective(k):
    game, players, batch = unrolled(k)
    objective = players["generator"].objective
    own = list(game.networks["generator"].parameters())
    for p, gradient in zip(own, torch.autograd.grad(seeded(objective, batch), own), strict=True):
        numeric = central_difference(lambda: seeded(objective, batch), p)
        torch.testing.assert_close(gradient, numeric, rtol=1e-6, atol=1e-9)


def test_without_unrolling_the_generators_gradient_is_a_plain_gans():
    game, players, batch = unrolled(0)
    G, D = game.networks["generator"], game.networks["discriminator"]
    own = list(G.parameters())
    ours = torch.autograd.grad(seeded(players["generator"].objective, batch), own)
    torch.manual_seed(7)
    plain = torch.autograd.grad(is_real(D(G(torch.randn(6, 2)))), own)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_surrogate_is_the_discriminator_after_k_of_its_own_steps():
    game, players, batch = unrolled(3)
    value = seeded(players["generator"].objective, batch)
    G, D = game.networks["generator"], game.networks["discriminator"]
    torch.manual_seed(7)
    y = G(torch.randn(6, 2)).detach()
    optimizer = torch.optim.SGD(D.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (torch.nn.functional.softplus(-D(batch.x)).mean() + torch.nn.functional.softplus(D(y)).mean()).backward()
        optimizer.step()
    torch.testing.assert_close(value, is_real(D(y)))


def test_foreseeing_the_discriminator_changes_the_generators_gradient():
    gradients = []
    for k in (0, 3):
        torch.manual_seed(1)
        game, players, batch = unrolled(k)
        own = list(game.networks["generator"].parameters())
        gradients.append(torch.autograd.grad(seeded(players["generator"].objective, batch), own)[0])
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3
