"""Labels in discriminators: concatenated, projected, or told by the network itself."""

import pytest
import torch
from torch import nn

from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.conditional import AuxiliaryClassifier, Chain, Concatenation, Conditional, Projection
from adversaria.nn.minibatch import with_minibatch

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"width": 4, "hidden": 16, "depth": 2}
SHAPES = [(1, 8, 8), (3, 12, 9), (5,)]


def batch(shape, n=6, classes=3):
    return torch.randn(n, *shape), torch.arange(n) % classes


@pytest.mark.parametrize("shape", SHAPES)
def test_a_projection_is_psi_of_phi_plus_an_inner_product_in_value_and_gradient(shape):
    reader = encoder(shape, norm="layer", **SMALL)
    D, (x, labels) = Projection(reader, 3), batch(shape)
    score, phi = D(x, labels), reader.body(x)
    assert score.shape == (6,) and torch.equal(D.features(x), phi)
    psi, v = reader.head, D.embedding.weight
    for i, c in enumerate(labels):
        by_hand = sum(phi[i, k] * (psi.weight[0, k] + v[c, k]) for k in range(reader.width)) + psi.bias[0]
        torch.testing.assert_close(score[i], by_hand)
    weights = torch.randn(6)
    (g,) = torch.autograd.grad((weights * score).sum(), v)
    expected = torch.stack([sum(weights[i] * phi[i] for i in range(6) if labels[i] == c) for c in range(3)])
    torch.testing.assert_close(g, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_label_changes_a_projections_score_by_the_difference_of_embeddings(shape):
    D, (x, labels) = Projection(encoder(shape, norm="layer", **SMALL), 3), batch(shape)
    other = (labels + 1) % 3
    gap = ((D.embedding(other) - D.embedding(labels)) * D.features(x)).sum(1)
    torch.testing.assert_close(D(x, other) - D(x, labels), gap)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("one_hot", [False, True])
def test_concatenation_puts_the_label_beside_each_pixel(shape, one_hot):
    size = 3 if one_hot else 4
    reader = encoder((shape[0] + size, *shape[1:]), norm="layer", **SMALL)
    D, (x, labels) = Concatenation(reader, 3, size, one_hot), batch(shape)
    joined = D.joined(x, labels)
    assert joined.shape == (6, shape[0] + size, *shape[1:]) and torch.equal(joined[:, : shape[0]], x)
    table = torch.eye(3) if one_hot else D.embedding.weight
    for i, c in enumerate(labels):
        for k in range(size):
            assert (joined[i, shape[0] + k] == table[c, k]).all()
    torch.testing.assert_close(D(x, labels), reader(joined))
    torch.testing.assert_close(D.features(x, labels), reader.features(joined))
    assert any(isinstance(m, nn.Embedding) for m in D.modules()) != one_hot


def test_a_generator_concatenates_too():
    G = Concatenation(decoder(6 + 4, (1, 8, 8), **SMALL), 3, 4)
    z, labels = torch.randn(6, 6), torch.arange(6) % 3
    x = G(z, labels)
    assert x.shape == (6, 1, 8, 8)
    torch.testing.assert_close(x, G.network(torch.cat([z, G.embedding.weight[labels]], 1)))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_auxiliary_classifier_reads_source_and_class_off_the_same_features(shape):
    reader = encoder(shape, norm="layer", **SMALL)
    D, (x, _) = AuxiliaryClassifier(reader, 3), batch(shape)
    calls = []
    reader.body.register_forward_hook(lambda *_: calls.append(1))
    source, classes = D.both(x)
    assert len(calls) == 1 and source.shape == (6,) and classes.shape == (6, 3)
    phi = D.features(x)
    torch.testing.assert_close(source, (phi @ reader.head.weight.T + reader.head.bias)[:, 0])
    torch.testing.assert_close(classes, phi @ D.classifier.weight.T + D.classifier.bias)
    torch.testing.assert_close(D(x), source)
    torch.testing.assert_close(D.classify(x), classes)


@pytest.mark.parametrize("wrap", [lambda r: Projection(r, 3), lambda r: AuxiliaryClassifier(r, 3)])
def test_every_parameter_has_a_gradient(wrap):
    D, (x, labels) = wrap(encoder((1, 8, 8), norm="layer", **SMALL)), batch((1, 8, 8))
    out = D(x, labels).sum() if isinstance(D, Conditional) else sum(y.square().sum() for y in D.both(x))
    out.backward()
    for name, p in D.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 0, name


def test_conditioning_and_minibatch_statistics_go_together():
    reader = with_minibatch(encoder((1, 8, 8), norm="layer", **SMALL), "deviation")
    D, (x, labels) = Projection(reader, 3), batch((1, 8, 8))
    torch.testing.assert_close(D(x, labels), reader(x) + (D.embedding(labels) * D.features(x)).sum(1))


def test_a_chain_gives_labels_to_those_layers_that_take_them():
    class Add(Conditional):
        def forward(self, x, labels=None):
            return x if labels is None else x + labels[:, None]

    chain, x, labels = Chain(nn.ReLU(), Add(), Chain(nn.Identity(), Add())), torch.randn(3, 2), torch.arange(3)
    torch.testing.assert_close(chain(x, labels), x.relu() + 2 * labels[:, None])
    torch.testing.assert_close(chain(x), x.relu())
