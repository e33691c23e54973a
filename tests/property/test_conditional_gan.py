"""cgan's ways of telling both players the label."""

import pytest
import torch
from torch.nn import functional as F

import adversaria as adv
from adversaria.data import Batch, DataSpec
from adversaria.game import play
from adversaria.nn.conditional import AuxiliaryClassifier, Concatenation, Projection

IMAGES = DataSpec("image", (1, 8, 8), classes=3)
POINTS = DataSpec("points", (2,), classes=3)
CONDITIONS = {"concatenation": Concatenation, "embedding": Concatenation, "projection": Projection,
              "classifier": AuxiliaryClassifier}  # fmt: skip


def game_of(spec=IMAGES, **changed):
    return adv.recipe("cgan", "smoke", **changed).build(spec)


def batch_of(spec, n=8):
    return Batch(torch.rand(n, *spec.shape) * 2 - 1, torch.arange(n) % 3)


@pytest.mark.parametrize("spec", [IMAGES, POINTS], ids=["images", "points"])
@pytest.mark.parametrize("generator", ["concatenation", "embedding", "product", "norm"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_both_players_hear_the_label(condition, generator, spec):
    torch.manual_seed(0)
    game = game_of(spec, condition=condition, generator_condition=generator, parts={"spectral": True})
    batch = batch_of(spec)
    for record in play(game.stage(), [batch], rounds=3):
        assert not record.skipped
    assert isinstance(game.networks["discriminator"], CONDITIONS[condition])
    assert game.can("classify") == (condition == "classifier")
    z = torch.ones(6, 8)
    G = game.networks["generator"].eval()
    y = G(z, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert torch.equal(y[0], y[1]) and not torch.equal(y[0], y[2]) and not torch.equal(y[2], y[4])


def test_an_auxiliary_classifiers_terms_are_cross_entropies_on_data_and_samples():
    torch.manual_seed(0)
    game = game_of(condition="classifier", classify=2.0)
    G, D = game.networks["generator"].eval(), game.networks["discriminator"].eval()
    batch = batch_of(IMAGES)
    torch.manual_seed(5)
    y = G(torch.randn(8, 8), batch.labels)
    on_data, on_samples = (F.cross_entropy(D.classify(x), batch.labels) for x in (batch.x, y))
    for player, expected in zip(game.stage().players, (on_data + on_samples, on_samples), strict=True):
        torch.manual_seed(5)
        assert player.objective(batch)["class"].item() == pytest.approx(2 * expected.item(), rel=1e-5)


def test_a_product_tells_no_class_without_z():
    torch.manual_seed(0)
    G = game_of(condition="classifier", generator_condition="product").networks["generator"].eval()
    z, labels = torch.randn(6, 8), torch.arange(6) % 3
    products = torch.stack([z[i] * G.embedding.weight[i % 3] for i in range(6)])
    torch.testing.assert_close(G(z, labels), G.network(products))
    assert torch.equal(*G(torch.zeros(2, 8), torch.tensor([0, 1])))
    assert not torch.equal(*G(z[:1].expand(2, -1), torch.tensor([0, 1])))


def test_concatenation_is_one_hot_and_embedding_is_learned():
    frozen, learned = game_of(condition="concatenation"), game_of(condition="embedding")
    names = [{name for name, _ in g.networks["discriminator"].named_parameters()} for g in (frozen, learned)]
    assert names[1] - names[0] == {"embedding.weight"}
    x = torch.rand(2, 1, 8, 8)
    seen = frozen.networks["discriminator"].joined(x, torch.tensor([2, 0]))
    assert torch.equal(seen[:, 1:, 0, 0], torch.tensor([[0.0, 0, 1], [1, 0, 0]]))
