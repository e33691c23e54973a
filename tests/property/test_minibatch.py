"""Statistics of a batch against loops, and layers whose largest singular value is 1."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

import adversaria as adv
from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.game import Adam, Game, Player
from adversaria.game.averages import Average
from adversaria.game.referee import Referee, play
from adversaria.game.state import capture, restore
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.conditional import ConditionalNorm, Projection
from adversaria.nn.minibatch import MinibatchDeviation, MinibatchDiscrimination, with_minibatch, with_spectral
from adversaria.ops import gradient_penalty

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"width": 4, "hidden": 16, "depth": 2}


# minibatch layers


def test_discrimination_is_the_papers_sum_over_the_others():
    layer, f = MinibatchDiscrimination(4, kernels=3, dim=2), 0.5 * torch.randn(5, 4)
    y = layer(f)
    assert y.shape == (5, 7) and torch.equal(y[:, :4], f)
    M = torch.einsum("na,abc->nbc", f, layer.T).detach()
    for i in range(5):
        for b in range(3):
            close = [math.exp(-float((M[i, b] - M[j, b]).abs().sum())) for j in range(5) if j != i]
            assert y[i, 4 + b].item() == pytest.approx(sum(close), rel=1e-12)


def test_discrimination_has_the_gradient_of_differences():
    layer, f = MinibatchDiscrimination(3, kernels=2, dim=2), torch.randn(4, 3, requires_grad=True)
    assert torch.autograd.gradcheck(layer, f) and torch.autograd.gradgradcheck(layer, f)
    weights, T = torch.randn(4, 5), layer.T.detach().requires_grad_()

    def value(T):
        return (weights * functional_call(layer, {"T": T}, (f,))).sum()

    assert torch.autograd.gradcheck(value, T)


def test_equal_examples_count_one_for_each_other_and_distant_ones_nothing():
    layer = MinibatchDiscrimination(4, kernels=3, dim=2)
    torch.testing.assert_close(layer(torch.randn(1, 4).expand(6, 4))[:, 4:], torch.full((6, 3), 5.0))
    far = layer(torch.tensor([[0.0], [1e6]]) * torch.ones(4))
    assert far[:, 4:].abs().max() < 1e-12 and layer(torch.randn(1, 4))[0, 4:].abs().max() < 1e-12


def test_deviation_appends_the_mean_standard_deviation_of_the_batch():
    f = torch.randn(6, 4)
    y = MinibatchDeviation()(f)
    spread = sum(math.sqrt(float(((f[:, k] - f[:, k].mean()) ** 2).mean()) + 1e-8) for k in range(4)) / 4
    assert y.shape == (6, 5) and torch.equal(y[:, :4], f)
    torch.testing.assert_close(y[:, 4], torch.full((6,), spread))
    f.requires_grad_()
    assert torch.autograd.gradcheck(MinibatchDeviation(), f) and torch.autograd.gradgradcheck(MinibatchDeviation(), f)


@pytest.mark.parametrize(
    ("n", "group", "sizes"), [(8, 4, [4, 4]), (7, 3, [4, 3]), (2, 4, [2]), (1, 4, [1]), (5, 1, [1] * 5)]
)
def test_groups_see_their_own_members_only(n, group, sizes):
    f, begin = torch.randn(n, 4), 0
    y = MinibatchDeviation(group)(f)
    for size in sizes:
        own = f[begin : begin + size]
        torch.testing.assert_close(y[begin : begin + size], MinibatchDeviation()(own))
        begin += size
    assert begin == n and torch.isfinite(y).all()


@pytest.mark.parametrize("kind", ["discrimination", "deviation"])
@pytest.mark.parametrize(("shape", "outputs"), [((1, 8, 8), 1), ((5,), 3)])
def test_a_reader_with_a_minibatch_layer_reads_as_before_and_the_batch_too(kind, shape, outputs):
    reader = encoder(shape, outputs, norm="layer", **SMALL)
    before = copy.deepcopy(reader)
    assert with_minibatch(reader, kind, kernels=3, dim=2) is reader
    x = torch.randn(6, *shape)
    assert reader(x).shape == ((6,) if outputs == 1 else (6, outputs))
    assert torch.equal(reader.features(x), before.features(x)) and reader.width == before.width
    layer, head = reader.head
    statistics = layer(reader.features(x))[:, reader.width :]
    expected = before(x).view(6, -1) + statistics @ head.weight[:, reader.width :].T
    torch.testing.assert_close(reader(x).view(6, -1), expected)
    assert head.weight[:, reader.width :].abs().min() > 0
    reader(x).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in reader.parameters())


def test_collapsed_batches_are_told_from_varied_ones_where_single_examples_cannot_be():
    reader = with_minibatch(encoder((5,), **SMALL), "deviation")
    x = torch.randn(6, 5)
    together, alone = reader(x), reader(x[:1].expand(6, 5))
    assert not torch.allclose(together[0], alone[0])


def test_a_minibatch_layer_has_its_place():
    reader = with_minibatch(encoder((5,), **SMALL), "deviation")
    with pytest.raises(UserError, match="linear head"):
        with_minibatch(reader, "deviation")
    with pytest.raises(UserError, match="linear head"):
        with_minibatch(with_spectral(encoder((5,), **SMALL)), "discrimination")


# spectral normalisation


def largest(layer):
    """The largest singular value of a layer's weight as a matrix (outputs, everything else)."""
    w = layer.weight.detach()
    if isinstance(layer, nn.ConvTranspose2d):
        w = w.transpose(0, 1)
    return torch.linalg.matrix_norm(w.flatten(1), 2).item()


def layers(network):
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)
    scales = {id(e) for m in network.modules() if isinstance(m, ConditionalNorm) for e in m.children()}
    return [m for m in network.modules() if isinstance(m, kinds) and id(m) not in scales]


@pytest.mark.parametrize("network", ["dcgan", "resnet", "modern", "gated", "mlp"])
def test_after_enough_passes_every_layers_largest_singular_value_is_one(network):
    D = Projection(encoder((1, 8, 8), norm="none", network=network, **SMALL), 3)
    G = decoder(6, (1, 8, 8), network=network, classes=3, **SMALL)
    assert with_spectral(D) is D
    with_spectral(G)
    labels = torch.arange(3)
    with torch.no_grad():
        for _ in range(150):
            D(G(torch.randn(3, 6), labels), labels)
    assert len(layers(D)) >= 3
    for layer in layers(D) + layers(G):
        assert largest(layer) == pytest.approx(1, rel=1e-3)
    for m in G.modules():
        if isinstance(m, ConditionalNorm):
            assert (m.scale.weight == 1).all() and not m.offset.weight.any(), "scales aren't maps"


def test_the_score_of_a_spectral_mlp_rises_no_faster_than_its_input():
    D = with_spectral(encoder((5,), width=4, hidden=32, depth=3))
    x, y = torch.randn(200, 5), torch.randn(200, 5)
    with torch.no_grad():
        for _ in range(200):
            D(x)
        slopes = (D(x) - D(y)).abs() / (x - y).norm(dim=1)
    assert slopes.max() <= 1 + 1e-6


def test_a_weight_is_divided_by_u_w_v_and_the_gradient_is_that_of_the_quotient():
    layer = with_spectral(nn.Linear(4, 3))
    layer(torch.randn(1, 4))
    layer.eval()
    W, part = layer.parametrizations.weight.original, layer.parametrizations.weight[0]
    u, v = part._u.clone(), part._v.clone()
    torch.testing.assert_close(layer.weight, W / (u @ W @ v))
    weights = torch.randn(3, 4)
    (g,) = torch.autograd.grad((weights * layer.weight).sum(), W)
    sigma = u @ W @ v
    torch.testing.assert_close(g, weights / sigma - (weights * W).sum() / sigma**2 * torch.outer(u, v))


@pytest.mark.parametrize("data", ["digits", "ring8"])
def test_every_layer_of_sn_gan_s_discriminator_has_a_largest_singular_value_of_1(data):
    D = adv.recipe("sn-gan", "smoke").build(adv.load(data).spec).networks["discriminator"]
    x = torch.randn(4, *adv.load(data).spec.shape)
    for _ in range(200):  # power iterations
        D(x)
    weights = [m.weight for m in D.eval().modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weights) >= 2
    for w in weights:
        assert torch.linalg.matrix_norm(w.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_penalties_go_through_a_spectral_critic():
    D = with_spectral(encoder((1, 8, 8), norm="none", **SMALL)).eval()
    x, y = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8)

    def penalty():
        torch.manual_seed(3)
        return gradient_penalty(D, x, y)

    w = D.head.parametrizations.weight.original
    (g,) = torch.autograd.grad(penalty(), w)
    along, h = torch.randn_like(w), 1e-6
    with torch.no_grad():
        w.add_(h * along)
        up = penalty()
        w.sub_(2 * h * along)
        down = penalty()
    assert float((g * along).sum()) == pytest.approx(float(up.detach() - down.detach()) / (2 * h), rel=1e-5, abs=1e-12)


def test_a_second_call_leaves_normalised_layers_alone():
    D = with_spectral(Projection(with_spectral(encoder((5,), **SMALL)), 3))
    for layer in layers(D):
        assert len(layer.parametrizations.weight) == 1


def test_singular_vectors_are_saved_and_loaded_to_the_bit():
    one, two = (with_spectral(encoder((1, 8, 8), norm="none", **SMALL)) for _ in range(2))
    x = torch.randn(4, 1, 8, 8)
    for _ in range(3):
        one(x)
    two.load_state_dict(one.state_dict())
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())
    for _ in range(3):
        assert torch.equal(one(x), two(x))
    assert torch.equal(one.eval()(x), two.eval()(x)) and torch.equal(copy.deepcopy(one)(x), one(x))


def spectral_game():
    torch.manual_seed(0)
    G = with_spectral(decoder(4, (1, 8, 8), norm="none", **SMALL))
    D = with_spectral(with_minibatch(encoder((1, 8, 8), norm="none", **SMALL), "deviation"))

    def fake(n):
        return G(torch.randn(n, 4))

    def discriminator(batch):
        with torch.no_grad():
            y = fake(len(batch))
        return {"real": (D(batch.x) - 1).square().mean(), "fake": D(y).square().mean()}

    def generator(batch):
        return {"fake": (D(fake(len(batch))) - 1).square().mean()}

    adam = Adam(lr=1e-2)
    return Game(
        Player("discriminator", (D,), discriminator, adam),
        Player("generator", (G,), generator, adam),
        networks={"generator": G, "discriminator": D},
        averages={"generator": 0.9, "discriminator": 0.9},
        sample=fake,
        score=D,
    )


class Steps:
    """Batches as a function of the step."""

    def at(self, step):
        return Batch(torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(step)))


def test_averages_of_spectral_networks_swap_in_and_out():
    game = spectral_game()
    list(play(game.stage(), Steps(), rounds=8))
    G, average = game.networks["generator"], game.averages["generator"]
    before, z = copy.deepcopy(G.state_dict()), torch.randn(5, 4)
    original = {name: p for name, p in G.named_parameters() if name.endswith("original")}
    assert original and isinstance(average, Average)
    with game.at_rest():
        for name, p in original.items():
            assert not torch.equal(p, before[name])
        layer = G.layers[0]
        W, part = layer.parametrizations.weight.original, layer.parametrizations.weight[0]
        torch.testing.assert_close(layer.weight, W / (part._u @ W @ part._v))
        assert all(1 - 1e-6 < largest(m) < 1.2 for m in layers(G)), "singular vectors are copied, not averaged"
        rest = G(z)
    assert all(torch.equal(v, before[k]) for k, v in G.state_dict().items())
    assert not torch.allclose(G.eval()(z), rest)
    first, score = game.sample(4, seed=1), game.score(Steps().at(0).x)
    assert torch.equal(game.sample(4, seed=1), first) and torch.equal(game.score(Steps().at(0).x), score)


@pytest.mark.parametrize("after", [1, 4])
def test_play_goes_on_from_a_saved_state_to_the_bit(after):
    torch.manual_seed(5)
    whole = spectral_game()
    list(play(whole.stage(), Steps(), rounds=8))
    torch.manual_seed(5)
    game = spectral_game()
    referee = Referee(game.stage(), rounds=8)
    rounds = play(referee.stage, Steps(), referee=referee)
    for _ in range(after):
        next(rounds)
    tensors, facts = capture(game, referee)
    other = spectral_game()
    second = Referee(other.stage(), rounds=8)
    torch.manual_seed(99)
    restore(other, second, tensors, facts)
    list(play(second.stage, Steps(), referee=second))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
