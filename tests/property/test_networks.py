"""Backbones: shapes and ranges for any image, the layers their papers name, exact rewrites, and gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from adversaria.nn import modern, resnet
from adversaria.nn.backbones import decoder, encoder, units
from adversaria.nn.dcgan import Critic, Generator, levels
from adversaria.nn.gated import Gate
from adversaria.nn.mlp import MLP, MLPReader
from adversaria.nn.norms import Virtual
from adversaria.nn.reader import Reader

NETWORKS = ["dcgan", "resnet", "modern", "mlp", "gated", "tanh", "constant", "resnet101"]
NORMS = ["batch", "layer", "instance", "none", "virtual", "pixel"]
SMALL = {"width": 4, "hidden": 16, "depth": 2}
SHAPES = [(1, 8, 8), (3, 32, 32), (2, 28, 20), (5, 9, 17)]


def pair(network, shape, norm="batch", classes=0, latent=6, **more):
    size = SMALL | more
    G = decoder(latent, shape, norm=norm, network=network, classes=classes, **size)
    return G, encoder(shape, norm=norm, network=network, **size)


def waken(network):
    """R3GAN's blocks begin as the identity, and what lies inside them has no gradient until they have moved."""
    for block in network.modules():
        if isinstance(block, modern.Block):
            nn.init.normal_(block.branch[-1].weight, 0.0, 0.1)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [*SHAPES, (1, 128, 64)])
def test_images_of_any_size_come_out_and_go_in(network, shape):
    G, D = pair(network, shape, "layer")
    assert isinstance(D, Reader)
    with torch.no_grad():
        x = G(torch.randn(2, 6))
        assert x.shape == (2, *shape)
        assert D(x).shape == (2,) and D.features(x).shape == (2, D.width)
        assert encoder(shape, 3, norm="layer", network=network, **SMALL)(x).shape == (2, 3)


@pytest.mark.parametrize("network", ["dcgan", "gated", "tanh"])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_vectors_have_an_mlp(network, depth):
    size = SMALL | {"depth": depth}
    G, D = decoder(6, (7,), network=network, **size), encoder((7,), network=network, **size)
    x = G(torch.randn(5, 6))
    assert isinstance(G, MLP) and isinstance(D, MLPReader) and x.shape == (5, 7) and D(x).shape == (5,)
    assert D.features(x).shape == (5, D.width) == (5, 16 if depth else 7)
    assert any(isinstance(m, Gate) for m in G.modules()) == (network == "gated" and depth > 0)


@pytest.mark.parametrize("network", NETWORKS)
def test_only_what_is_bounded_ends_in_tanh(network):
    for bounded in (True, False):
        torch.manual_seed(1)
        G = decoder(6, (1, 8, 8), bounded=bounded, network=network, **SMALL)
        assert isinstance(list(G.modules())[-1], nn.Tanh) == bounded
        assert (G(100 * torch.randn(64, 6)).abs() <= 1).all() or not bounded
    torch.manual_seed(2)
    free = decoder(6, (1, 8, 8), bounded=False, network=network, **SMALL)
    torch.manual_seed(2)
    tanh = decoder(6, (1, 8, 8), bounded=True, network=network, **SMALL)
    z = torch.randn(4, 6)
    torch.testing.assert_close(tanh(z), torch.tanh(free(z)))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.usefixtures("float64")
def test_every_parameter_has_a_gradient_labels_or_not(network, norm):
    deep = network == "resnet101"
    for classes in (3,) if deep else (0, 3):
        G, D = pair(network, (1, 8, 9) if deep else (1, 16, 17), norm, classes, width=8 if norm == "pixel" else 4)
        waken(G)
        waken(D)
        z, labels = torch.randn(4, 6), (torch.tensor([0, 1, 2, 1]),) if classes else ()
        (D(G(z, *labels)) * torch.randn(4)).sum().backward()
        for part in (G, D):
            scale = max(float(p.grad.abs().max()) for p in part.parameters())
            for name, p in part.named_parameters():
                assert torch.isfinite(p.grad).all() and p.grad.abs().max() > 1e-12 * scale, name


@pytest.mark.parametrize("network", NETWORKS)
def test_equal_seeds_give_equal_bits_and_other_seeds_others(network):
    def made(seed):
        torch.manual_seed(seed)
        return [v for part in pair(network, (1, 8, 8)) for v in part.state_dict().values()]

    first, again, other = made(0), made(0), made(1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("norm", ["layer", "virtual"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.usefixtures("float64")
def test_the_gradient_of_a_penalty_equals_finite_differences_at_given_parameters(network, norm):
    """Double backward, by functional_call: what penalties and unrolled games ask of a critic."""
    D = encoder((1, 8, 8), norm=norm, network=network, **SMALL | {"width": 2})
    waken(D)
    x = torch.randn(2, 1, 8, 8)
    D(x)  # the reference of virtual batch norm is filled, once and for all
    own = {name: p.detach() for name, p in D.named_parameters()}
    along = {name: torch.randn_like(p) for name, p in own.items()}

    def penalty(t):
        given = x.clone().requires_grad_()
        scores = functional_call(D, {name: p + t * along[name] for name, p in own.items()}, (given,))
        (slope,) = torch.autograd.grad(scores.sum(), given, create_graph=True)
        return slope.square().sum()

    t = torch.zeros((), requires_grad=True)
    (gradient,) = torch.autograd.grad(penalty(t), t)
    h = 1e-6
    difference = (penalty(torch.tensor(h)) - penalty(torch.tensor(-h))) / (2 * h)
    assert gradient.abs() > 1e-12
    assert gradient.item() == pytest.approx(difference.item(), rel=1e-4)


# DCGAN


def test_dcgan_has_the_papers_channels_at_64_pixels():
    G, D = Generator(100, (3, 64, 64), 128), Critic((3, 64, 64), 128)
    ups = [m for m in G.modules() if isinstance(m, nn.ConvTranspose2d)]
    downs = [m for m in D.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in ups] == [1024, 512, 256, 128]
    assert [m.out_channels for m in downs] == [128, 256, 512, 1024] and D.width == 1024 * 4 * 4


def test_hard_architectures_are_dcgans_but_for_what_makes_them_hard():
    shape = (3, 64, 64)
    plain, constant, tanh = (pair(kind, shape, width=16) for kind in ("dcgan", "constant", "tanh"))
    ups, downs = ([m for m in part.modules() if isinstance(m, nn.ConvTranspose2d | nn.Conv2d)] for part in constant)
    assert [m.in_channels for m in ups] == [16] * 4 and [m.out_channels for m in downs] == [16, 32, 64, 128]
    for hard, usual in zip(tanh, plain, strict=True):
        assert [type(m) for m in hard.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)] == []
        changed = [
            (type(a), type(b)) for a, b in zip(hard.modules(), usual.modules(), strict=True) if type(a) is not type(b)
        ]
        assert changed and {a for a, _ in changed} == {nn.Tanh} and {b for _, b in changed} <= {nn.ReLU, nn.LeakyReLU}


@pytest.mark.parametrize("gated", [False, True])
def test_dcgan_begins_with_its_papers_weights(gated):
    for part in (Generator(50, (3, 32, 32), 32, gated=gated), Critic((3, 32, 32), 32, gated=gated)):
        for m in part.modules():
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                assert m.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert abs(m.weight.mean().item()) < 0.003 and (m.bias is None or not m.bias.any())
            if isinstance(m, nn.BatchNorm2d):
                assert m.weight.mean().item() == pytest.approx(1, abs=0.02) and not m.bias.any()


@pytest.mark.parametrize(
    ("side", "times"), [(8, 1), (9, 1), (15, 1), (16, 2), (28, 2), (32, 3), (63, 3), (64, 4), (128, 5)]
)
def test_resolutions_are_halved_until_four_to_seven_pixels_are_left(side, times):
    assert levels(side, side) == times == levels(side, 3 * side) and 4 <= side // 2**times <= 7
    D = encoder((1, side, side), network="modern", norm="none", **SMALL)
    kernel = next(m for m in reversed(list(D.body.modules())) if isinstance(m, nn.Conv2d)).kernel_size
    assert kernel == (side // 2**times,) * 2


# gates


@pytest.mark.usefixtures("float64")
def test_a_gate_is_tanh_times_sigmoid_of_the_halves():
    x = torch.randn(3, 8, 2, 2)
    torch.testing.assert_close(Gate()(x), torch.tanh(x[:, :4]) / (1 + torch.exp(-x[:, 4:])), atol=1e-15, rtol=0)


@pytest.mark.usefixtures("float64")
def test_gated_networks_are_layers_of_twice_the_width_with_gates_between():
    G, D = pair("gated", (1, 8, 8), "none")
    linear, up = G.layers[0], G.layers[4]
    z = torch.randn(3, 6)
    a, b = linear(z).view(3, 8, 4, 4).chunk(2, 1)
    x = torch.tanh(up(torch.tanh(a) * torch.sigmoid(b)))
    torch.testing.assert_close(G(z), x)
    a, b = D.body[0](x).chunk(2, 1)
    torch.testing.assert_close(D(x), D.head((torch.tanh(a) * torch.sigmoid(b)).flatten(1))[:, 0])
    net = MLP(6, (2,), 5, 2, gated=True)
    h = z
    for layer in (net.layers[0], net.layers[2]):
        a, b = layer(h).chunk(2, 1)
        h = torch.tanh(a) * torch.sigmoid(b)
    torch.testing.assert_close(net(z), net.layers[4](h))


def test_the_mlp_of_wgan_gps_experiment_has_four_layers_of_512():
    G = decoder(128, (3, 32, 32), width=4, hidden=512, depth=4, network="mlp")
    linears = [m for m in G.modules() if isinstance(m, nn.Linear)]
    assert [m.out_features for m in linears] == [512, 512, 512, 512, 3 * 32 * 32]
    assert sum(isinstance(m, nn.ReLU) for m in G.modules()) == 4 and G(torch.randn(2, 128)).shape == (2, 3, 32, 32)


# WGAN-GP's ResNet


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 3)])
@pytest.mark.usefixtures("float64")
def test_enlarging_before_a_convolution_is_one_transposed_convolution_in_value_and_gradient(size):
    layer, x = resnet.UpConv(3, 5, True), torch.randn(2, 3, *size, requires_grad=True)
    by_hand = F.conv2d(F.interpolate(x, scale_factor=2), layer.weight, layer.bias, padding=1)
    agree(layer, x, layer(x), by_hand)


@pytest.mark.parametrize("size", [(4, 4), (8, 6), (5, 7), (3, 2)])
@pytest.mark.usefixtures("float64")
def test_the_mean_after_a_convolution_is_one_strided_convolution_in_value_and_gradient(size):
    layer, x = resnet.DownConv(3, 5, True), torch.randn(2, 3, *size, requires_grad=True)
    agree(layer, x, layer(x), F.avg_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1), 2))


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.usefixtures("float64")
def test_a_convolution_of_single_pixels_commutes_with_bilinear_resampling(up):
    layer, x = modern.Transition(3, 5, up), torch.randn(2, 3, 6, 8, requires_grad=True)
    scale = 2 if up else 0.5
    resampled = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    agree(layer.change, x, layer(x), F.conv2d(resampled, layer.change.weight))


def agree(layer, x, y, by_hand):
    assert y.shape == by_hand.shape
    torch.testing.assert_close(y, by_hand, atol=1e-12, rtol=1e-12)
    weight = torch.randn_like(y)
    inputs = [x, *layer.parameters()]
    got, expected = (torch.autograd.grad((weight * out).sum(), inputs) for out in (y, by_hand))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def shapes_of(network, kind, *inputs):
    """What modules of a kind give, without the batch."""
    seen, hooks = [], []
    for m in network.modules():
        if isinstance(m, kind):
            hooks.append(m.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:]))))
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def test_the_resnet_is_the_table_of_appendix_f():
    G, D = resnet.ResidualGenerator(128, (3, 32, 32), 128), resnet.ResidualCritic((3, 32, 32), 128)
    with torch.no_grad():
        assert shapes_of(G, resnet.Residual, torch.randn(1, 128)) == [(128, n, n) for n in (8, 16, 32)]
        assert shapes_of(D, resnet.Residual, torch.randn(1, 3, 32, 32)) == [(128, n, n) for n in (16, 8, 8, 8)]
    assert D.width == 128
    assert sum(isinstance(m, nn.BatchNorm2d) for m in G.modules()) == 7  # two a block, and one at the end
    assert not any(isinstance(m, nn.BatchNorm2d) for m in D.modules())


@pytest.mark.usefixtures("float64")
def test_a_residual_block_is_its_equation():
    up = resnet.block(3, 5, "none", "up")
    x = torch.randn(2, 3, 4, 4)
    first, second = up.branch[2], up.branch[5]
    h = F.conv2d(F.relu(x), first.weight, first.bias, padding=1)
    h = F.conv2d(F.interpolate(F.relu(h), scale_factor=2), second.weight, second.bias, padding=1)
    shortcut = F.conv2d(F.interpolate(x, scale_factor=2), up.project.weight, up.project.bias)
    torch.testing.assert_close(up(x), shortcut + h)
    down = resnet.block(3, 5, "none", "down", image=True)
    first, second = down.branch[0], down.branch[3]
    h = F.conv2d(F.relu(F.conv2d(x, first.weight, first.bias, padding=1)), second.weight, second.bias, padding=1)
    torch.testing.assert_close(down(x), F.avg_pool2d(F.conv2d(x, down.project.weight, down.project.bias) + h, 2))


def test_the_resnets_features_are_means_over_pixels():
    D = encoder((3, 16, 16), norm="none", network="resnet", **SMALL)
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(D.features(x), F.relu(D.body[:-4](x)).mean((2, 3)))


# 101 layers


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 128, 128)])
def test_the_deep_network_has_101_layers_in_each_player(shape):
    G, D = pair("resnet101", shape)
    for part in (G, D):
        layers = [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        assert len(layers) == 101
        shortcuts = [m.project for m in part.modules() if isinstance(m, resnet.Residual)]
        assert shortcuts == [None] * 33, "no layer beside the 101"
    resampled = [sum(isinstance(m, kind) for m in part.modules()) for part, kind in
                 ((G, resnet.UpConv), (D, resnet.DownConv))]  # fmt: skip
    assert resampled == [levels(*shape[1:])] * 2


def test_the_deep_network_neither_blows_up_nor_fades_without_normalisation():
    G, D = pair("resnet101", (3, 8, 8), "none", latent=32, width=16)
    with torch.no_grad():
        x, features = G.layers[:-1](torch.randn(64, 32)), D.features(torch.randn(64, 3, 8, 8))
        assert 0.1 < float(x.std()) < 10 and 0.01 < float(features.std()) < 10


# R3GAN's network


def test_the_modern_blocks_are_inverted_bottlenecks_with_groups_of_sixteen():
    G, D = (pair("modern", (3, 32, 32), "none", width=16)[i] for i in (0, 1))
    for part in (G, D):
        blocks = [m for m in part.modules() if isinstance(m, modern.Block)]
        assert len(blocks) == 2 * 4, "two at each of 4, 8, 16 and 32 pixels"
        for b in blocks:
            first, middle, last = (m for m in b.branch if isinstance(m, nn.Conv2d))
            assert (first.kernel_size, middle.kernel_size, last.kernel_size) == ((1, 1), (3, 3), (1, 1))
            assert first.out_channels == 2 * first.in_channels == middle.out_channels == 2 * last.out_channels
            assert middle.in_channels // middle.groups == 16 and last.bias is None
            assert [type(m) for m in b.branch].count(nn.LeakyReLU) == 2, "no activation at the end"
        assert [m.branch[0].in_channels for m in blocks][:: 1 if part is D else -1] == [8, 8, 16, 16, 32, 32, 64, 64]
        assert not any(isinstance(m, nn.modules.batchnorm._NormBase | nn.GroupNorm) for m in part.modules())


def test_the_modern_blocks_begin_as_the_identity_with_fix_up_weights():
    _, D = pair("modern", (3, 32, 32), "none", width=64)
    blocks = [m for m in D.modules() if isinstance(m, modern.Block)]
    x = torch.randn(2, blocks[0].branch[0].in_channels, 4, 4)
    assert torch.equal(blocks[0](x), x)
    gain = math.sqrt(2 / (1 + 0.2**2)) * len(blocks) ** -0.25
    for b in blocks:
        first, middle, last = (m for m in b.branch if isinstance(m, nn.Conv2d))
        assert not last.weight.any() and not first.bias.any() and not middle.bias.any()
        for layer in (first, middle):
            assert layer.weight.std().item() == pytest.approx(gain / math.sqrt(layer.weight[0].numel()), rel=0.1)


@pytest.mark.usefixtures("float64")
def test_the_modern_networks_begin_with_scaled_maps_and_end_in_weighed_ones():
    G, D = pair("modern", (2, 8, 12), "none")
    z, basis = torch.randn(3, 6), G.layers[0]
    scale = z @ basis.affine.weight.T + basis.affine.bias
    torch.testing.assert_close(basis(z), torch.einsum("nc,chw->nchw", scale, basis.maps))
    assert basis.maps.shape == (4, 4, 6)
    x = torch.randn(3, 2, 8, 12)
    maps, weights = D.body[:-2](x), D.body[-2].weight
    assert maps.shape == (3, 4, 4, 6)
    torch.testing.assert_close(D.features(x), (maps * weights[:, 0]).sum((2, 3)))


# labels


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3,)])
@pytest.mark.usefixtures("float64")
def test_labels_make_no_difference_at_first_and_one_for_each_class_later(network, shape):
    G = decoder(6, shape, network=network, classes=3, **SMALL).eval()
    waken(G)
    z = torch.randn(1, 6).expand(3, 6)
    labels = torch.arange(3)
    x = G(z, labels)
    torch.testing.assert_close(x, x[:1].expand_as(x))
    for m in G.modules():
        if isinstance(m, nn.Embedding):
            m.weight.data.add_(0.5 * torch.randn_like(m.weight))
    x = G(z, labels)
    assert min((x[i] - x[j]).abs().max() for i, j in ((0, 1), (0, 2), (1, 2))) > 1e-3
    torch.testing.assert_close(G(z, labels.flip(0)), x.flip(0))
    with pytest.raises(ValueError, match="without labels"):
        G(z)


def test_virtual_batch_norm_comes_wrapped():
    G, D = pair("dcgan", (1, 8, 8), "virtual")
    assert isinstance(G, Virtual) and isinstance(D.body, Virtual) and isinstance(D, Reader)


@pytest.mark.parametrize(("kind", "wanted"), [("image", nn.ELU), ("binary", nn.ELU), ("points", nn.ReLU)])
@pytest.mark.parametrize("shape", [(12,), (1, 8, 8)])
def test_units_of_a_variational_model_are_in_every_hidden_layer_of_its_decoder(kind, wanted, shape):
    G = decoder(6, shape, norm="layer", bounded=False, activation=units(kind), **SMALL)
    found = [type(m) for m in G.modules() if isinstance(m, (nn.ELU, nn.ReLU))]
    assert found and set(found) == {wanted}
