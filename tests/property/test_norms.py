"""Normalisation against statistics taken by hand; virtual batch norm leaves an example alone with its reference."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from adversaria.game.averages import Average
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.conditional import ConditionalNorm
from adversaria.nn.norms import PixelNorm, Virtual, VirtualNorm, normalise

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"width": 4, "hidden": 16, "depth": 2}
EPS = 1e-5


def by_hand(x, over):
    mean = x.mean(over, keepdim=True)
    return (x - mean) / ((x - mean).square().mean(over, keepdim=True) + EPS).sqrt()


@pytest.mark.parametrize(("norm", "over"), [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer", (1, 2, 3))])
def test_named_norms_are_over_what_their_names_say(norm, over):
    x = 3 * torch.randn(4, 5, 3, 2) + 1
    layer = normalise(norm, 5)
    torch.testing.assert_close(layer(x), by_hand(x, over))
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    expected = by_hand(x, over) * layer.weight[:, None, None] + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected)


def test_none_is_nothing():
    x = torch.randn(4, 5, 3, 2)
    assert torch.equal(normalise("none", 5)(x), x)


def test_pixel_norm_gives_each_pixel_a_mean_square_of_one():
    x = 3 * torch.randn(4, 5, 3, 2) + 1
    y = PixelNorm()(x)
    torch.testing.assert_close(y.square().mean(1), torch.ones(4, 3, 2), atol=1e-6, rtol=0)
    for n, i, j in ((0, 0, 0), (3, 2, 1)):
        pixel = x[n, :, i, j]
        torch.testing.assert_close(y[n, :, i, j], pixel / ((pixel * pixel).sum() / 5 + 1e-8) ** 0.5)
    assert torch.isfinite(PixelNorm()(torch.zeros(1, 3, 2, 2))).all()


# scale and offset for each class


@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "pixel", "none"])
def test_a_conditional_norm_begins_as_the_plain_one_and_scales_each_class_by_its_own_numbers(norm):
    x, labels = torch.randn(6, 5, 3, 2), torch.tensor([0, 2, 1, 1, 0, 2])
    plain, layer = normalise(norm, 5), normalise(norm, 5, classes=3)
    assert isinstance(layer, ConditionalNorm)
    torch.testing.assert_close(layer(x, labels), plain(x))
    nn.init.normal_(layer.scale.weight)
    nn.init.normal_(layer.offset.weight)
    y, expected = layer(x, labels), plain(x)
    for i, c in enumerate(labels):
        for k in range(5):
            by_class = layer.scale.weight[c, k] * expected[i, k] + layer.offset.weight[c, k]
            torch.testing.assert_close(y[i, k], by_class)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 3 * 5, "no scale and offset beside the classes'"


def test_a_conditional_norm_for_vectors():
    layer, x, labels = ConditionalNorm(nn.Identity(), 5, 3), torch.randn(4, 5), torch.tensor([0, 2, 1, 1])
    nn.init.normal_(layer.scale.weight)
    nn.init.normal_(layer.offset.weight)
    torch.testing.assert_close(layer(x, labels), layer.scale.weight[labels] * x + layer.offset.weight[labels])


# virtual batch norm


def virtual(layer, rows=4, event=(3, 5, 2)):
    return Virtual(layer, event, rows=rows)


def test_the_statistics_are_those_of_the_reference_and_the_example_taken_together():
    """Weights r / (r + 1) and 1 / (r + 1) on means and on mean squares, as for a batch of r + 1 whose last is x."""
    layer = VirtualNorm(3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    net, reference, x = virtual(layer), 2 * torch.randn(4, 3, 5, 2) + 1, 3 * torch.randn(6, 3, 5, 2) - 1
    net(reference)
    y = net(x)
    for i in range(6):
        own = torch.cat([reference, x[i : i + 1]])
        expected = by_hand(own, (0, 2, 3))[-1] * layer.weight[:, None, None] + layer.bias[:, None, None]
        torch.testing.assert_close(y[i], expected)
        mean = (4 * reference.mean((0, 2, 3)) + x[i].mean((1, 2))) / 5
        square = (4 * reference.square().mean((0, 2, 3)) + x[i].square().mean((1, 2))) / 5
        z = (x[i] - mean[:, None, None]) / (square - mean**2 + EPS).sqrt()[:, None, None]
        torch.testing.assert_close(y[i], z * layer.weight[:, None, None] + layer.bias[:, None, None])


def test_the_reference_is_normalised_by_its_own_statistics_through_all_layers():
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 2)
    net = virtual(nn.Sequential(first, VirtualNorm(4), nn.ReLU(), second, VirtualNorm(2)), event=(3, 6, 6))
    reference, x = torch.randn(4, 3, 6, 6), torch.randn(1, 3, 6, 6)
    net(reference)
    h, g = first(reference), first(x)
    g = by_hand(torch.cat([h, g]), (0, 2, 3))[-1:].relu()
    h = second(by_hand(h, (0, 2, 3)).relu())
    torch.testing.assert_close(net(x), by_hand(torch.cat([h, second(g)]), (0, 2, 3))[-1:])


NETWORKS = ["dcgan", "resnet", "modern", "gated"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_an_examples_output_is_its_own_affair_to_the_bit(network, mode):
    size = SMALL | {"network": network}
    G, D = (decoder(6, (1, 8, 8), norm="virtual", classes=2, **size), encoder((1, 8, 8), norm="virtual", **size))
    for part in (G, D):
        for m in part.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, 0.0, 0.3)
    z, labels = torch.randn(5, 6), torch.tensor([0, 1, 1, 0, 1])
    D(G(torch.randn(70, 6), torch.arange(70) % 2))  # the references
    G.train(mode == "training")
    D.train(mode == "training")
    x = G(z, labels)
    y = D(x)
    others = G(torch.cat([z[:1], 5 * torch.randn(4, 6)]), torch.tensor([0, 0, 0, 1, 1]))
    assert torch.equal(others[0], x[0]) and not torch.equal(others[1], x[1])
    assert torch.equal(D(torch.cat([x[:1], torch.randn(4, 1, 8, 8)]))[0], y[0])
    torch.testing.assert_close(G(z[:1], labels[:1]), x[:1])
    torch.testing.assert_close(D(x[:1]), y[:1])


def test_under_batch_norm_it_is_not():
    D = encoder((1, 16, 16), norm="batch", **SMALL)
    x = torch.randn(5, 1, 16, 16)
    other = torch.cat([x[:1], 5 * torch.randn(4, 1, 16, 16)])
    assert not torch.allclose(D(x)[0], D(other)[0], rtol=1e-2)


@pytest.mark.parametrize("norm", ["batch", "virtual"])
def test_a_gradient_reaches_other_examples_under_batch_norm_only(norm):
    D = encoder((1, 16, 16), norm=norm, **SMALL)
    D(torch.randn(8, 1, 16, 16))
    x = torch.randn(5, 1, 16, 16, requires_grad=True)
    (g,) = torch.autograd.grad(D(x)[0], x)
    assert bool((g[1:] != 0).any()) == (norm == "batch") and g[0].abs().max() > 0


def test_the_first_batch_in_training_is_kept_and_no_later_one():
    net = virtual(VirtualNorm(3))
    first, second = torch.randn(9, 3, 5, 2), torch.randn(9, 3, 5, 2)
    net.eval()
    net(second)
    assert not net.filled and not net.reference.any(), "evaluation keeps nothing"
    net.train()
    net(first.requires_grad_())
    net(second)
    assert net.filled and torch.equal(net.reference, first[:4]) and not net.reference.requires_grad
    net.eval()
    net(second)
    assert torch.equal(net.reference, first[:4])
    net.reset_parameters()
    net.train()
    net(second)
    assert torch.equal(net.reference, second[:4])


def test_a_small_first_batch_is_repeated():
    net = virtual(VirtualNorm(3), rows=6)
    first = torch.randn(3, 3, 5, 2)
    net(first)
    assert torch.equal(net.reference, torch.cat([first, first]))


@pytest.mark.parametrize("training", [True, False])
def test_before_there_is_a_reference_a_batch_is_its_own(training):
    net = virtual(VirtualNorm(3), rows=4)
    x = torch.randn(4, 3, 5, 2)
    net.train(training)
    y = net(x)
    for i in range(4):
        torch.testing.assert_close(y[i], by_hand(torch.cat([x, x[i : i + 1]]), (0, 2, 3))[-1])


def test_labels_of_the_reference_are_kept_with_it():
    G = decoder(6, (1, 16, 16), norm="virtual", classes=2, **SMALL)
    labels = torch.tensor([1, 0, 0])
    G(torch.randn(3, 6), labels)
    assert torch.equal(G.labels, labels.repeat(22)[:64])
    for m in G.modules():
        if isinstance(m, ConditionalNorm):
            nn.init.normal_(m.scale.weight)
    z = torch.randn(2, 6)
    before = G(z, torch.tensor([0, 1]))
    G.labels.zero_()
    assert not torch.allclose(G(z, torch.tensor([0, 1])), before)


def test_the_reference_is_state_that_saves_loads_moves_and_copies():
    one, two = (decoder(6, (1, 8, 8), norm="virtual", **SMALL) for _ in range(2))
    z = torch.randn(5, 6)
    one(torch.randn(7, 6))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(z), two(z)) and torch.equal(copy.deepcopy(one)(z), one(z))
    two.float()
    assert two.reference.dtype == torch.float32 and two(z.float()).dtype == torch.float32
    names = {name.rpartition(".")[2] for name, _ in one.named_buffers()}
    assert names == {"reference", "filled"}


def test_gradients_go_through_the_statistics_of_the_reference_too():
    """d/dw of a weighted output against differences, with the reference held."""
    net = virtual(nn.Sequential(nn.Conv2d(3, 2, 2), VirtualNorm(2), nn.Tanh()))
    net(torch.randn(4, 3, 5, 2))
    x, weights = torch.randn(2, 3, 5, 2), torch.randn(2, 2, 4, 1)
    w = net.network[0].weight
    (g,) = torch.autograd.grad((weights * net(x)).sum(), w)
    along, h = torch.randn_like(w), 1e-6
    with torch.no_grad():
        w.add_(h * along)
        up = (weights * net(x)).sum()
        w.sub_(2 * h * along)
        down = (weights * net(x)).sum()
    assert float((g * along).sum()) == pytest.approx(float(up - down) / (2 * h), rel=1e-6)


def test_double_backward_is_the_derivative_of_the_gradient():
    net = virtual(nn.Sequential(nn.Conv2d(3, 2, 2), VirtualNorm(2), nn.Tanh()))
    net(torch.randn(4, 3, 5, 2))
    x = torch.randn(1, 3, 5, 2, requires_grad=True)
    assert torch.autograd.gradcheck(net, x) and torch.autograd.gradgradcheck(net, x)


def test_other_weights_may_be_called_in_and_the_first_batch_is_kept_even_then():
    net = virtual(nn.Sequential(nn.Conv2d(3, 2, 2), VirtualNorm(2)))
    first, x = torch.randn(4, 3, 5, 2), torch.randn(3, 3, 5, 2)
    other = {name: torch.randn_like(p) for name, p in net.named_parameters()}
    functional_call(net, other, (first,))
    assert net.filled and torch.equal(net.reference, first)
    y = functional_call(net, other, (x,))
    net.load_state_dict(net.state_dict() | other)
    assert torch.equal(net(x), y)


def test_outside_a_wrapper_it_says_what_is_missing():
    with pytest.raises(ValueError, match="Virtual"):
        VirtualNorm(3)(torch.randn(2, 3, 4, 4))


def test_an_averaged_network_keeps_its_reference():
    G = decoder(6, (1, 8, 8), norm="virtual", **SMALL)
    average = Average(G, 0.9)
    for _ in range(60):
        G(torch.randn(70, 6))
        with torch.no_grad():
            for p in G.parameters():
                p.add_(0.01 * torch.randn_like(p))
        average.update()
    z, reference, before = torch.randn(3, 6), G.reference.clone(), G(torch.zeros(1, 6))
    average.swap()
    torch.testing.assert_close(G.reference, reference, atol=1e-6, rtol=0)
    assert G.filled and torch.isfinite(G(z)).all() and not torch.equal(G(torch.zeros(1, 6)), before)
    average.swap()
    assert torch.equal(G.reference, reference) and torch.equal(G(torch.zeros(1, 6)), before)
