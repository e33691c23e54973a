"""The autoregressive prior over grids: a distribution, causal, without a blind spot, and sampled as it says."""

import itertools

import pytest
import torch
from scipy import stats
from torch import nn

from adversaria.nn.pixelcnn import GatedPixelCNN

pytestmark = pytest.mark.usefixtures("float64")


def prior(categories=3, width=12, layers=3, classes=0):
    """A prior with weights far from their start, whose conditionals are far from even."""
    net = GatedPixelCNN(categories, width, layers, classes)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    net.head[-1].weight.data.mul_(2)
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
    net.head.register_forward_hook(lambda *_: recorded.append(torch.is_grad_enabled()))
    recorded = []
    drawn = net.sample(5, (3, 4))
    assert recorded == [False] * 12, "one pass a cell, none of them recorded"
    assert drawn.shape == (5, 3, 4) and drawn.dtype == torch.long
    assert drawn.min() >= 0 and drawn.max() <= 2
