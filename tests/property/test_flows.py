"""Masked networks and inverse autoregressive flow against autograd's Jacobian, their inverse and quadrature."""

import math

import pytest
import torch
from torch.autograd.functional import jacobian

from adversaria.distributions import log_normal
from adversaria.nn.iaf import IAF
from adversaria.nn.made import MADE

pytestmark = pytest.mark.usefixtures("float64")


def wild(flow):
    """The same flow with weights and offsets far from their start, so that nothing holds by being small."""
    for p in flow.parameters():
        p.data = 0.7 * torch.randn_like(p) if p.ndim == 1 else p.data + 0.5 * torch.randn_like(p)
    return flow


def inverse(flow, y, context):
    """z with flow(z) = y, one coordinate after the other."""
    with torch.no_grad():
        for net in reversed(flow.nets):
            y = y.flip(1)
            z = torch.zeros_like(y)
            for i in range(y.shape[1]):
                m, s = net(z, context).unbind(1)
                gate = torch.sigmoid(s[:, i])
                z[:, i] = (y[:, i] - (1 - gate) * m[:, i]) / gate
            y = z
    return y


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize(("size", "hidden"), [(1, 4), (2, 4), (5, 8), (7, 20), (6, 3)])
def test_output_i_of_made_depends_on_inputs_before_i_and_on_no_other(size, hidden, context):
    net = wild(MADE(size, hidden, outputs=2, context=context))
    h = torch.randn(1, context) if context else None
    J = jacobian(lambda x: net(x, h)[0], torch.randn(1, size))[:, :, 0]
    later = torch.triu(torch.ones(size, size)).bool()
    assert (J[:, later] == 0).all()
    if hidden >= size:
        assert (J[:, ~later] != 0).all(), "an earlier input without influence"


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_context_reaches_every_output_of_made(size):
    net = wild(MADE(size, 8, outputs=2, context=3))
    J = jacobian(lambda h: net(torch.zeros(1, size), h)[0], torch.randn(1, 3))[:, :, 0]
    assert J.shape == (2, size, 3) and (J != 0).all()


def test_masks_leave_weights_as_they_are():
    net = MADE(4, 8, 2, 3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x, h = torch.randn(2, 4), torch.randn(2, 3)
    first = net(x, h)
    torch.testing.assert_close(net(x, h), first, rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_log_det_of_iaf_equals_autograds_jacobian(d, steps):
    flow, h = wild(IAF(d, 12, 3, steps)), torch.randn(4, 3)
    z = torch.randn(4, d)
    _, log_det = flow(z, h)
    for i in range(4):
        J = jacobian(lambda z, i=i: flow(z, h[i : i + 1])[0][0], z[i : i + 1])[:, 0]
        assert log_det[i].item() == pytest.approx(torch.linalg.slogdet(J).logabsdet.item(), rel=1e-9, abs=1e-12)
    assert log_det.shape == (4,) and (steps == 0 or log_det.abs().max() > 0.01)


def test_one_step_of_iaf_is_triangular_up_to_the_flip():
    flow, h = wild(IAF(5, 16, 3, 1)), torch.randn(1, 3)
    J = jacobian(lambda z: flow(z, h)[0][0], torch.randn(1, 5))[:, 0].flip(0)
    assert (torch.triu(J, 1) == 0).all() and (torch.tril(J) != 0).sum() == 15


def test_two_steps_of_iaf_let_every_coordinate_depend_on_every_other():
    flow, h = wild(IAF(4, 16, 3, 2)), torch.randn(1, 3)
    J = jacobian(lambda z: flow(z, h)[0][0], torch.randn(1, 4))[:, 0]
    assert (J != 0).sum() >= 15  # the coordinate both steps leave to itself is one that nothing else enters


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_iaf_is_inverted_one_coordinate_after_the_other(d, steps):
    flow, h = wild(IAF(d, 12, 3, steps)), torch.randn(20, 3)
    for net in flow.nets:  # gates that do not close, or the inverse has no digits left
        net.last.bias.data[d:] = 2.0
    z = torch.randn(20, d)
    torch.testing.assert_close(inverse(flow, flow(z, h)[0], h), z, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("d", "steps"), [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3)])
def test_the_density_of_transformed_samples_integrates_to_one(d, steps):
    flow, h = wild(IAF(d, 8, 3, steps)), torch.randn(1, 3)
    for p in flow.parameters():  # a density that stays wide and smooth enough for an even grid
        p.data.mul_(0.7)
    for net in flow.nets:
        net.last.bias.data[d:] = 1.0
    cloud = flow(torch.randn(20_000, d), h.expand(20_000, 3))[0]
    low, high = cloud.amin(0) - 3, cloud.amax(0) + 3
    lines = [torch.linspace(a, b, 4_001 if d == 1 else 401) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    y = torch.cartesian_prod(*lines).view(-1, d)
    context = h.expand(len(y), 3)
    z = inverse(flow, y, context)
    near = z.abs().amax(1) < 50  # what comes from further out has no density left
    density = (log_normal(z[near]) - flow(z[near], context[near])[1]).exp()
    cell = math.prod(float(line[1] - line[0]) for line in lines)
    assert density.sum().item() * cell == pytest.approx(1, abs=2e-3)


def test_the_flow_starts_near_the_identity():
    flow = IAF(3, 16, 2, 1)
    z = torch.randn(10, 3)
    moved, log_det = flow(z, torch.randn(10, 2))
    assert (moved.flip(1) - z).abs().max() < 0.5
    assert (log_det - 3 * math.log(torch.sigmoid(torch.tensor(2.0)))).abs().max() < 0.2
