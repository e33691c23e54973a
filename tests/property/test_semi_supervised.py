"""The (K+1)-class classifier: losses against an explicit softmax, layers against closed forms, hidden labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import adversaria as adv
from adversaria import catalogue
from adversaria.api import begin
from adversaria.data import Batch, DataSpec, load
from adversaria.errors import UserError
from adversaria.evaluation.features import pixels
from adversaria.evaluation.sets import prepare
from adversaria.evaluation.suite import measure
from adversaria.game import play
from adversaria.nn.semi import Noise, Normalised, aware, dropped_convolutions, noisy_mlp, smooth_generator
from adversaria.objectives.losses import NonSaturating

K = 4
LOGITS = [0.0, 1.0, 30.0, 100.0]


def smoke(**fields):
    return catalogue.make("improved-gan", "smoke", **fields)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def played(recipe, view, rounds=None, seed=0):
    torch.manual_seed(seed)
    game = recipe.build(view.spec)
    n = rounds or recipe.rounds
    for _ in play(game.stage(), view.batches(recipe.batch, seed=seed), rounds=n):
        pass
    return game


def classifier_terms(known, labels, real, fake, weight):
    """The recipe's terms from logits, as `test_the_terms_of_the_game_are_these` has them from the game."""
    terms = NonSaturating().discriminator(real.logsumexp(1), fake.logsumexp(1))
    return {"labelled": F.cross_entropy(known, labels)} | {name: weight * term for name, term in terms.items()}


def explicit(known, labels, real, fake, weight):
    """The same losses through a softmax over K + 1 classes, the last logit 0 (Section 5)."""

    def p(logits):
        return torch.cat([logits, torch.zeros(len(logits), 1)], 1).log_softmax(1)

    of_class = p(known)[:, :K]
    given_real = of_class - of_class.logsumexp(1, keepdim=True)
    supervised = -given_real[torch.arange(len(labels)), labels].mean()
    told_real = p(real)[:, :K].logsumexp(1)
    return supervised - weight * (told_real.mean() + p(fake)[:, K].mean())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("size", LOGITS)
@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_losses_are_those_of_a_softmax_over_one_class_more(size, weight):
    labels = torch.tensor([0, 3, 1, 1, 2])
    logits = [size * torch.randn(n, K).clamp(-1, 1).round(decimals=2) for n in (5, 7, 6)]
    ours = [x.clone().requires_grad_() for x in logits]
    theirs = [x.clone().requires_grad_() for x in logits]
    value = sum(classifier_terms(ours[0], labels, ours[1], ours[2], weight).values())
    expected = explicit(theirs[0], labels, theirs[1], theirs[2], weight)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(torch.autograd.grad(value, ours), torch.autograd.grad(expected, theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.usefixtures("float64")
def test_extreme_logits_give_their_limits_and_finite_gradients():
    """At +-100, -log D is 0 or 100 - log K and its gradient -(1 - D) softmax(l), in float32 too."""
    for dtype in (torch.float64, torch.float32):
        for sign in (1, -1):
            x = torch.full((2, K), sign * 100.0, dtype=dtype, requires_grad=True)
            terms = classifier_terms(x, torch.tensor([0, 1]), x, x, 1.0)
            log_z = sign * 100 + np.log(K)
            assert terms["real"].item() == pytest.approx(max(-log_z, 0), rel=1e-6, abs=1e-30)
            assert terms["fake"].item() == pytest.approx(max(log_z, 0), rel=1e-6, abs=1e-30)
            assert terms["labelled"].item() == pytest.approx(np.log(K), rel=1e-6)
            (slope,) = torch.autograd.grad(terms["real"], x)
            assert slope.sum().item() == pytest.approx(0.0 if sign > 0 else -1.0, rel=1e-5, abs=1e-30)


@pytest.mark.usefixtures("float64")
def test_the_two_losses_add_up_to_the_likelihood_of_class_and_reality():
    """-log p(y | x) = -log p(y | x, y <= K) - log D(x): what Section 5 splits the likelihood into."""
    x, labels = 3 * torch.randn(9, K), torch.arange(9) % K
    terms = classifier_terms(x, labels, x, x, 1.0)
    whole = F.cross_entropy(torch.cat([x, torch.zeros(9, 1)], 1), labels)
    torch.testing.assert_close(terms["labelled"] + terms["real"], whole)


@pytest.mark.usefixtures("float64")
def test_fixing_one_logit_loses_nothing():
    """Taking f(x) from all of K + 1 logits changes no probability, so one of them can be 0."""
    logits = 5 * torch.randn(6, K + 1)
    D = 1 - logits.softmax(1)[:, K]
    torch.testing.assert_close(torch.sigmoid((logits[:, :K] - logits[:, K:]).logsumexp(1)), D)


@pytest.mark.usefixtures("float64")
def test_the_score_of_a_game_is_the_logit_of_d_and_classes_are_logits(digits):
    game = smoke().build(digits.spec).double()
    x = torch.rand(5, *digits.spec.shape) * 2 - 1
    logits, score = game.classify(x), game.score(x)
    assert logits.shape == (5, 10)
    Z = logits.exp().sum(1)
    torch.testing.assert_close(torch.sigmoid(score), Z / (Z + 1))
    assert torch.equal(logits, game.classify(x)), "no noise at rest"


@pytest.mark.usefixtures("float64")
def test_the_terms_of_the_game_are_these(digits):
    recipe = smoke(input_noise=0.0, noise=0.0, unsupervised=0.7)
    game = recipe.build(digits.spec).double().eval()
    G, C = game.networks["generator"], game.networks["discriminator"]
    known = Batch(torch.rand(8, *digits.spec.shape) * 2 - 1, torch.arange(8) % 10)
    batch = Batch(torch.rand(8, *digits.spec.shape) * 2 - 1, labelled=known)
    torch.manual_seed(1)
    found = game.stage().players[0].objective(batch)
    torch.manual_seed(1)
    expected = classifier_terms(C(known.x), known.labels, C(batch.x), C(G(torch.randn(8, recipe.latent))), 0.7)
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(found[name], term)


@pytest.mark.usefixtures("float64")
def test_feature_matching_is_the_squared_distance_of_mean_features_with_its_gradient(digits):
    """Value and gradient against the derivative by hand: 2 (E f(G(z)) - E f(x)) . d E f(G(z))."""
    recipe = smoke(input_noise=0.0, noise=0.0)
    game = recipe.build(digits.spec).double()
    G, D = game.networks["generator"], game.networks["discriminator"]
    D.eval()
    G.eval()  # batch norm's statistics don't move between the two ways
    generator = next(p for p in game.stage().players if p.name == "generator")
    batch = Batch(torch.rand(8, *digits.spec.shape) * 2 - 1)
    torch.manual_seed(1)
    (value,) = generator.objective(batch).values()
    torch.manual_seed(1)
    f = D.features(G(torch.randn(8, recipe.latent)))
    gap = f.mean(0) - D.features(batch.x).mean(0)
    torch.testing.assert_close(value, (gap**2).sum())
    theta = generator.parameters()
    by_hand = torch.autograd.grad(f.mean(0), theta, 2 * gap.detach())
    for a, b in zip(torch.autograd.grad(value, theta), by_hand, strict=True):
        torch.testing.assert_close(a, b)
    assert value > 0


@pytest.mark.usefixtures("float64")
def test_the_same_mean_features_are_a_perfect_match(digits):
    recipe = smoke(input_noise=0.0, noise=0.0)
    game = recipe.build(digits.spec).double().eval()
    generator = next(p for p in game.stage().players if p.name == "generator")
    torch.manual_seed(1)
    copies = game.networks["generator"](torch.randn(8, recipe.latent)).detach()
    torch.manual_seed(1)
    assert generator.objective(Batch(copies.flip(0)))["matching"].item() < 1e-28


@pytest.mark.usefixtures("float64")
def test_with_minibatch_discrimination_the_generator_is_non_saturating_and_classes_come_in_batches(digits):
    recipe = smoke(objective="minibatch-discrimination", input_noise=0.0, noise=0.0)
    game = recipe.build(digits.spec).double().eval()
    generator = next(p for p in game.stage().players if p.name == "generator")
    torch.manual_seed(1)
    (value,) = generator.objective(Batch(torch.zeros(8, *digits.spec.shape))).values()
    torch.manual_seed(1)
    logits = game.networks["discriminator"](game.networks["generator"](torch.randn(8, recipe.latent)))
    Z = logits.exp().sum(1)
    torch.testing.assert_close(value, -torch.log(Z / (Z + 1)).mean())
    x = torch.rand(32, *digits.spec.shape) * 2 - 1
    with torch.no_grad():
        parts = torch.cat([game.networks["discriminator"](x[i : i + 8]) for i in range(0, 32, 8)])
    torch.testing.assert_close(game.classify(x), parts)
    assert not torch.allclose(parts, game.networks["discriminator"](x)), "what D says depends on the batch"


# ---- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kernel", [0, 3])
def test_a_normalised_layer_starts_with_pre_activations_of_mean_0_and_its_spread(kernel):
    layer = Normalised(5, 7, kernel, spread=0.4)
    x = 3 + 2 * torch.randn(50, 5, *[6] * (2 * bool(kernel)))
    over = [0, 2, 3] if kernel else [0]
    y = layer(x)
    torch.testing.assert_close(y.mean(over), torch.zeros(7), atol=1e-12, rtol=0)
    torch.testing.assert_close(y.std(over, correction=0), torch.full((7,), 0.4))
    later = layer(10 * x)
    assert later.std() > 1, "only the first batch decides"
    plain = F.linear if not kernel else lambda x, w: F.conv2d(x, w, padding=1)
    unit = layer.weight / layer.weight.flatten(1).norm(dim=1).view(7, *[1] * (layer.weight.ndim - 1))
    shape = (1, 7) if not kernel else (1, 7, 1, 1)
    z = plain(x, unit)
    expected = 0.4 * (z - z.mean(over).view(shape)) / z.std(over, correction=0).view(shape)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.usefixtures("float64")
def test_only_the_direction_of_weights_counts():
    """Scaling v changes nothing, and the gradient is orthogonal to v (arXiv:1602.07868, Eq. 3)."""
    layer = Normalised(6, 3)
    x = torch.randn(20, 6)
    before = layer(x).detach()
    layer(x).square().sum().backward()
    torch.testing.assert_close((layer.weight.grad * layer.weight).sum(1), torch.zeros(3), atol=1e-10, rtol=0)
    with torch.no_grad():
        layer.weight.mul_(torch.tensor([0.1, 7, 100])[:, None])
    torch.testing.assert_close(layer(x), before)


def test_a_layer_without_spread_has_nothing_to_start():
    layer = Normalised(4, 3, spread=None, scaled=True)
    x = torch.randn(9, 4)
    unit = layer.weight / layer.weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(layer(5 + x), (5 + x) @ unit.T)
    layer.reset_parameters()
    assert layer.started


def test_a_layer_at_rest_starts_nothing_and_begins_afresh_when_reset():
    layer = Normalised(4, 4).eval()
    layer(torch.randn(8, 4))
    assert not layer.started
    layer.train()(torch.randn(8, 4))
    assert layer.started
    scale = layer.scale.clone()
    layer.reset_parameters()
    layer(5 * torch.randn(8, 4))
    assert not torch.equal(scale, layer.scale)
    constant = Normalised(2, 3)
    assert torch.isfinite(constant(torch.ones(4, 2))).all(), "units that don't vary have no scale of their own"


def test_noise_has_its_size_in_training_and_is_none_at_rest():
    x = torch.zeros(200, 500)
    noise = Noise(0.3)
    assert abs(noise(x).std().item() - 0.3) < 0.005
    assert torch.equal(noise.eval()(x), x)


def test_networks_have_the_layers_of_the_paper():
    D = noisy_mlp(784, 10, (1000, 500, 250, 250, 250), first=0.3, noise=0.5, pixels=True)
    widths = [tuple(m.weight.shape) for m in D.modules() if isinstance(m, Normalised)]
    assert widths == [(1000, 784), (500, 1000), (250, 500), (250, 250), (250, 250), (10, 250)]
    assert [m.sd for m in D.modules() if isinstance(m, Noise)] == [0.3, *[0.5] * 5]
    x = torch.rand(20, 1, 28, 28) * 2 - 1
    assert D.features(x).shape == (20, D.width) == (20, 250) and D(x).shape == (20, 10)
    assert D.features(x).min() >= 0
    G = smooth_generator(100, (1, 28, 28), 500, bounded=True)
    widths = [tuple(m.weight.shape) for m in G.modules() if isinstance(m, nn.Linear | Normalised)]
    assert widths == [(500, 100), (500, 500), (784, 500)]
    assert sum(isinstance(m, nn.Softplus | nn.BatchNorm1d) for m in G.modules()) == 4


def test_pixels_are_noised_as_intensities():
    """The first layer sees (x + 1) / 2, so noise of 0.3 is 0.6 on the game's scale."""
    D = noisy_mlp(4, 3, (5,), first=0.3, noise=0.0, pixels=True)
    x = torch.rand(6, 1, 2, 2) * 2 - 1
    plain = noisy_mlp(4, 3, (5,), first=0.3, noise=0.0, pixels=False)
    D(x)
    plain.load_state_dict({key.replace("body.3", "body.2"): value for key, value in D.state_dict().items()})
    torch.testing.assert_close(D.eval()(x), plain.eval()((x + 1) / 2))


@pytest.mark.parametrize("shape", [(1, 8, 8), (5, 9, 13), (3, 32, 32), (1, 64, 48)])
def test_convolutions_take_images_of_any_shape(shape):
    D = dropped_convolutions(shape, 6, 4)
    x = torch.rand(3, *shape) * 2 - 1
    assert D.features(x).shape == (3, D.width) and D(x).shape == (3, 6)
    assert aware(D)(x).shape == (3, 6)
    D.eval()
    assert torch.equal(D(x), D(x))


@pytest.mark.parametrize("network", ["mlp", "convolutions"])
@pytest.mark.parametrize("objective", ["feature-matching", "minibatch-discrimination"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (2,)])
def test_every_option_plays_on_images_and_points(network, objective, shape):
    recipe = smoke(network=network, objective=objective)
    spec = DataSpec("image" if len(shape) == 3 else "points", shape, classes=3)
    game = recipe.build(spec)
    x = torch.rand(recipe.batch, *shape) * 2 - 1
    batch = Batch(x, labelled=Batch(x.flip(0), torch.arange(recipe.batch) % 3))
    for record in play(game.stage(), [batch], rounds=2):
        assert not record.skipped
    assert game.sample(3).shape == (3, *shape) and game.classify(x).shape == (len(x), 3)


# ---- labels ---------------------------------------------------------------------------------------------------------


def test_the_hidden_labels_cannot_be_learned_from(digits):
    """All training labels but those that show are shuffled: every weight, average and moment keeps its bits."""
    recipe = smoke(labels=20, rounds=12)
    view = recipe.arrange(digits)
    hidden = np.setdiff1d(digits.splits["train"], view.labelled)
    false = digits.labels.copy()
    false[hidden] = np.random.default_rng(0).permutation(false[hidden])
    assert (false != digits.labels).mean() > 0.5
    one, two = (played(recipe, data).state_dict() for data in (view, replace(view, labels=false)))
    assert all(torch.equal(value, two[key]) for key, value in one.items())
    seen = digits.labels.copy()
    seen[view.labelled[0]] = (seen[view.labelled[0]] + 1) % 10
    other = played(recipe, replace(view, labels=seen)).state_dict()
    assert any(not torch.equal(value, other[key]) for key, value in one.items()), "those that show do teach"


def test_the_supervised_classifier_learns_from_labelled_examples_alone(digits):
    """With w = 0 the generator stands still, and what the unlabelled examples are doesn't matter."""
    recipe = smoke(unsupervised=0.0)
    view = recipe.arrange(digits)
    game = played(recipe, view)
    torch.manual_seed(0)
    fresh = recipe.build(view.spec)
    assert [p.name for p in game.stage().players] == ["discriminator"]
    for key, value in game.networks["generator"].state_dict().items():
        assert torch.equal(value, fresh.networks["generator"].state_dict()[key])
    assert game.sample(4, seed=0).shape == (4, *view.spec.shape)

    class Blank:
        def at(self, step):
            batch = view.batches(recipe.batch, seed=0).at(step)
            return replace(batch, x=torch.zeros_like(batch.x))

    torch.manual_seed(0)
    blind = recipe.build(view.spec)
    for _ in play(blind.stage(), Blank(), rounds=recipe.rounds):
        pass
    for key, value in game.state_dict().items():
        assert torch.equal(value, blind.state_dict()[key]), key


def test_a_run_finds_its_labels_again_and_resumes_to_the_bit(tmp_path):
    """Fewer labels than a batch; stopped after every round."""
    recipe = smoke(labels=11, label_seed=4, batch=16, rounds=2)
    whole = begin(recipe, load("digits"), out=tmp_path / "whole").play()
    begin(recipe, load("digits"), out=tmp_path / "parts")
    while not (run := adv.load_run(tmp_path / "parts")).finished:
        for _ in run.steps(stop=lambda: True):
            pass
    assert np.array_equal(run.data.labelled, load("digits").with_labels(11, 4).labelled)
    assert run.data.fingerprint == run.folder.config.fingerprint
    for key, value in adv.load_run(whole.path).game.state_dict().items():
        assert torch.equal(value, run.game.state_dict()[key]), key


def test_data_that_show_few_labels_already_are_taken_as_they_are(digits):
    view = digits.with_labels(33, seed=9)
    assert smoke(labels=20).arrange(view) is view
    with pytest.raises(UserError, match="has no labels"):
        smoke().arrange(load("swiss-roll"))


def test_labels_of_a_batch_serve_where_all_show(digits):
    """A loader of the user's own gives (examples, labels) pairs."""
    recipe = smoke()
    game = recipe.build(digits.spec)
    x, labels = torch.rand(8, 1, 8, 8) * 2 - 1, torch.arange(8)
    record = next(play(game.stage(), [(x, labels)], rounds=1))
    assert record.terms["discriminator"]["labelled"] > 0


# ---- measuring ------------------------------------------------------------------------------------------------------


def test_the_classification_error_is_of_all_held_out_examples_and_says_how_many_labels_were_used(digits):
    recipe = smoke(labels=30)
    view = recipe.arrange(digits)
    game = played(recipe, view)
    sets = prepare(view, game.sample(40, seed=0), pixels(view.spec), game=game)
    found = measure(sets, ["classification"], 0).estimates["classification"]
    places = np.concatenate([view.splits["test"], view.splits["valid"]])
    x = view.spec.to_game(view.store.gather(places))
    wrong = (game.classify(x).argmax(1).numpy() != digits.labels[places]).sum()
    assert (found.n, found.details["errors"], found.details["labels_used"]) == (len(places), wrong, 30)
    assert found.value == wrong / len(places) and found.lower_is_better
    full = measure(replace(sets, data=digits), ["classification"], 0).estimates["classification"]
    assert full.details["labels_used"] == len(digits.splits["train"])
    assert full.fingerprint == found.fingerprint, "one protocol, however many labels were used"


def test_a_model_that_cannot_classify_has_no_classification_error(digits):
    sets = prepare(digits, torch.rand(20, 1, 8, 8) * 2 - 1, pixels(digits.spec))
    assert "needs the model" in measure(sets, ["classification"], 0).undefined["classification"]
    game = catalogue.make("dcgan", "smoke").build(digits.spec)
    assert "lacks" in measure(replace(sets, game=game), ["classification"], 0).undefined["classification"]
