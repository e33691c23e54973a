"""The autoregressive prior over grids: a distribution, causal, without a blind spot, and sampled as it says."""

import itertools

import pytest
import torch
from scipy import stats
from torch import nn

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.distributions.alphabet import quantile
from adversaria.nn.pixelcnn import GatedPixelCNN, GatedStacks

pytestmark = pytest.mark.usefixtures("float64")


def prior(categories=3, width=12, layers=3, classes=0):
    """A prior with weights far from their start, whose conditionals are far from even."""
    net = GatedPixelCNN(categories, width, layers, classes)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    net.stacks.head[-1].weight.data.mul_(2)
    return net


def grids(shape, categories):
    cells = shape[0] * shape[1]
    return torch.tensor(list(itertools.product(range(categories), repeat=cells))).view(-1, *shape)


def log_prob(net, codes, labels=None):
    log_p = net(codes, labels).log_softmax(1)
    return log_p.gather(1, codes[:, None])[:, 0].flatten(1).sum(1)


@pytest.mark.parametrize(("shape", "categories"), [((2, 2), 3), ((2, 3), 2), ((3, 2), 2), ((1, 4), 3), ((4, 1), 3)])
@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("layers", [1, 3])
def test_probabilities_of_all_grids_sum_to_one(shape, categories, classes, layers):
    net, codes = prior(categories, layers=layers, classes=classes), grids(shape, categories)
    for label in range(max(classes, 1)):
        labels = torch.full((len(codes),), label) if classes else None
        p = log_prob(net, codes, labels).exp()
        assert p.sum().item() == pytest.approx(1, abs=1e-12)
        assert p.max() / p.min() > 2, "an even distribution proves little"


def test_the_label_changes_the_distribution():
    net, codes = prior(classes=3), grids((2, 2), 3)
    p = torch.stack([log_prob(net, codes, torch.full((len(codes),), k)).exp() for k in range(3)])
    assert (p[0] - p[1]).abs().sum() > 0.05 and (p[1] - p[2]).abs().sum() > 0.05


def influence(net, shape, labels=None):
    """(cells, cells): how much the logits of a cell (row) move with the embedding of another (column)."""
    h, w = shape
    codes = torch.randint(net.embedding.num_embeddings, (1, h, w))
    vectors = net.embedding(codes).detach().requires_grad_()
    real, net.embedding = net.embedding, _Given(vectors)
    try:
        logits = net(codes, labels)
        rows = []
        for i, j in itertools.product(range(h), range(w)):
            weight = torch.randn(logits.shape[1])
            (g,) = torch.autograd.grad((weight * logits[0, :, i, j]).sum(), vectors, retain_graph=True)
            rows.append(g[0].abs().sum(2).flatten())
        return torch.stack(rows)
    finally:
        net.embedding = real


class _Given(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.vectors = vectors

    def forward(self, _):
        return self.vectors


@pytest.mark.parametrize(("shape", "layers"), [((5, 5), 4), ((4, 6), 4), ((6, 3), 4), ((8, 8), 6), ((1, 7), 4)])
def test_a_cell_depends_on_every_earlier_cell_and_on_no_other(shape, layers):
    net = prior(width=20, layers=layers)
    J = sum(influence(net, shape) for _ in range(3))  # a ReLU may be shut at one input, not at all
    cells = shape[0] * shape[1]
    earlier = torch.tril(torch.ones(cells, cells), -1).bool()
    assert (J[~earlier] == 0).all(), "a cell sees itself or the future"
    assert (J[earlier] > 0).all(), "a blind spot"


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_changing_a_cell_leaves_the_logits_up_to_it_as_they_are_to_the_bit(layers):
    net, (h, w) = prior(layers=layers, classes=2), (4, 5)
    codes, labels = torch.randint(3, (1, h, w)), torch.tensor([1])
    before = net(codes, labels).flatten(2)
    for cell in range(h * w):
        other = codes.flatten(1).clone()
        other[0, cell] = (other[0, cell] + 1) % 3
        after = net(other.view(1, h, w), labels).flatten(2)
        assert torch.equal(after[..., : cell + 1], before[..., : cell + 1])
        if cell + 1 < h * w:
            assert not torch.equal(after[..., cell + 1 :], before[..., cell + 1 :])


def test_examples_of_a_batch_do_not_see_each_other():
    net = prior()
    codes = torch.randint(3, (4, 3, 3))
    alone = torch.cat([net(one[None]) for one in codes])
    torch.testing.assert_close(net(codes), alone)


@pytest.mark.parametrize("classes", [0, 2])
def test_samples_come_as_often_as_the_probabilities_say(classes):
    net, codes, n = prior(classes=classes), grids((2, 2), 3), 20_000
    labels = torch.ones(n, dtype=torch.long) if classes else None
    drawn = net.sample(n, (2, 2), labels).flatten(1) @ torch.tensor([27, 9, 3, 1])
    p = log_prob(net, codes, torch.ones(81, dtype=torch.long) if classes else None).exp().detach()
    often = p * n >= 5
    seen = torch.bincount(drawn, minlength=81).double()
    observed, expected = [torch.cat([c[often], c[~often].sum()[None]]).numpy() for c in (seen, p * n)]
    if expected[-1] < 1:
        observed, expected = observed[:-1], expected[:-1] * (observed[:-1].sum() / expected[:-1].sum())
    assert len(observed) > 10
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_sampling_takes_no_gradient_and_gives_categories():
    net = prior()
    drawn = net.sample(5, (3, 4))
    assert drawn.shape == (5, 3, 4) and drawn.dtype == torch.long
    assert drawn.min() >= 0 and drawn.max() <= 2


@pytest.mark.parametrize("layers", [1, 2, 5])
@pytest.mark.parametrize(("groups", "classes", "maps"), [(1, 0, 0), (1, 3, 0), (3, 2, 0), (1, 0, 2), (3, 0, 1)])
@pytest.mark.parametrize("shape", [(4, 5), (1, 6), (7, 1), (8, 8)])
def test_the_cached_sampler_draws_what_the_naive_one_draws_from_the_same_noise(shape, groups, classes, maps, layers):
    torch.manual_seed(0)
    net = GatedStacks(groups, 12, layers, 3 * groups, groups, classes, maps)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    (h, w), n = shape, 4
    u, labels = torch.rand(n, h * w * groups, 1), torch.arange(n) % classes if classes else None
    labels = torch.randn(n, maps, h, w) if maps else labels
    cached = []

    def pick(y, noise):
        cached.append(y)
        return quantile(y, noise)

    numbers = net.draw(u, shape, pick, lambda k: k[:, None] - 1.0, labels)
    x = torch.zeros(n, groups, h, w)
    for t, (i, j, g) in enumerate(itertools.product(range(h), range(w), range(groups))):
        y = net(x, labels)[:, 3 * g : 3 * g + 3, i, j]
        torch.testing.assert_close(cached[t], y)
        x[:, g, i, j] = quantile(y, u[:, t]) - 1.0
    assert torch.equal(numbers, (x.permute(0, 2, 3, 1).flatten(1) + 1).long())
    assert len(numbers.unique(dim=0)) > 1


@pytest.mark.parametrize(("channels", "shape"), [(1, (5, 6)), (3, (4, 4))])
def test_a_colour_depends_on_all_earlier_pixels_and_colours_and_on_no_other(channels, shape):
    torch.manual_seed(0)
    net = GatedStacks(channels, 24, 4, 2 * channels, channels)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    seen = sight(lambda x: net(x).unflatten(1, (channels, 2)).sum(2), torch.zeros(1, channels, *shape))
    d = channels * shape[0] * shape[1]
    assert torch.equal(seen, torch.ones(d, d).tril(-1).bool())


def test_every_pixel_sees_the_maps_at_its_own_place():
    torch.manual_seed(0)
    net, x = GatedStacks(1, 8, 2, 2, maps=3), torch.randn(1, 1, 4, 5)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    maps = torch.randn(1, 3, 4, 5)
    for i, j in [(0, 0), (0, 4), (2, 2), (3, 4)]:
        moved = maps.clone()
        moved[:, :, i, j] += 1
        change = (net(x, moved) - net(x, maps)).abs().sum(1)[0]
        assert change[i, j] > 0


def sight(outputs, x):
    """(d, d): which numbers of a line of outputs (row) move with which of a line of inputs (column), over 3 inputs."""
    seen = 0
    for _ in range(3):  # a ReLU may be shut at one input, not at all
        x = torch.randn_like(x).requires_grad_()
        y = outputs(x).permute(0, 2, 3, 1).reshape(x.numel(), -1).sum(1)
        rows = [torch.autograd.grad(out, x, retain_graph=True)[0].permute(0, 2, 3, 1).flatten() for out in y]
        seen = seen + torch.stack(rows).abs()
    return seen > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_the_plain_pixelcnn_sees_no_later_number_and_has_a_blind_spot(channels):
    torch.manual_seed(0)
    size = (6, 8)
    game = adv.recipe("pixelcnn", "smoke", width=18, layers=3).build(DataSpec("image", (channels, *size)))
    net = game.networks["model"]
    for p in net.parameters():
        p.data = p.data + 0.1 * torch.randn_like(p)
    seen = sight(net, torch.zeros(1, channels, *size))
    d = channels * size[0] * size[1]
    assert not seen[~torch.ones(d, d).tril(-1).bool()].any()
    if channels == 1:
        at = seen.view(*size, *size)
        assert at[3, 3, 3, 2] and at[3, 3, 2, 6] and at[3, 3, 0, 7], "what it sees"
        assert not at[3, 1, 2, 5:].any(), "the blind spot begins 4 pixels to the right in the row above"
        stacks = GatedStacks(1, 18, 4, 1)
        assert sight(stacks, torch.zeros(1, 1, *size)).view(*size, *size)[3, 1, 2, 5:].all()
    else:
        own = seen.view(d // 3, 3, d // 3, 3)[20, :, 20]
        assert torch.equal(own, torch.ones(3, 3).tril(-1).bool()), "green sees red, blue sees both"


@pytest.mark.parametrize("name", ["pixelcnn", "gated-pixelcnn"])
def test_samples_in_colour_follow_the_model_colour_by_colour(name):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke").build(DataSpec("image", (3, 3, 2)))
    for p in game.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    x = game.sample(200, seed=0)
    gap = game.log_prob(x) - game.log_prob(game.sample(200, seed=1))
    assert abs(gap.mean()) < 5 * gap.std() / 200**0.5
    assert (game.log_prob(x).mean() - game.log_prob(x.flip(1)).mean()) > 1, "which colours in another order would not"
