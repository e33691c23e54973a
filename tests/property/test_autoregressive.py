"""Models that go number by number: they sum to 1, draw what they say, and never look ahead."""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.distributions.alphabet import Alphabet, quantile
from adversaria.game.game import seeded
from adversaria.nn.made import MaskedLinear
from adversaria.nn.sampling import fixed_point, one_by_one
from adversaria.nn.sweep import Sweep
from adversaria.ordered import alphabet
from adversaria.recipes.autoregressive.made import Masked
from adversaria.recipes.autoregressive.nade import Conditionals

pytestmark = pytest.mark.usefixtures("float64")
NAMES = ["fvsbn", "neural-ar", "nade", "deep-nade", "made"]
SPECS = {
    "binary": DataSpec("binary", (7,)),
    "sequence": DataSpec("sequence", (3,), categories=5),
    "image": DataSpec("image", (1, 1, 2)),
    "one": DataSpec("binary", (1,)),
}


def game_of(name, spec, **changed):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke", **changed).build(spec)
    with torch.no_grad():
        for p in game.parameters():  # far from where it starts, which may be uniform
            p.add_(torch.randn_like(p) * 0.5)
    return game


def states(spec):
    """Every example there is."""
    levels = {"binary": torch.arange(2.0), "image": torch.arange(256) / 127.5 - 1}.get(
        spec.kind, torch.arange(spec.categories)
    )
    return torch.cartesian_prod(*[levels] * spec.size).view(-1, *spec.shape)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_all_states_sum_to_one(name, kind):
    game = game_of(name, SPECS[kind])
    log_p = torch.cat([game.log_prob(part) for part in states(SPECS[kind]).split(8192)])
    assert log_p.std() > 0.01
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", ["binary", "sequence"])
@pytest.mark.parametrize("name", NAMES)
def test_samples_are_as_frequent_as_the_density_says(name, kind):
    spec = SPECS[kind]
    game, every, n = game_of(name, spec), states(spec), 4_000
    x = game.sample(n, seed=1)
    found = (x.flatten(1)[:, None] == every.flatten(1)).all(2).sum(0).double()
    expected = game.log_prob(every).exp() * n
    order = expected.argsort(descending=True)
    found, expected = found[order], expected[order]
    many = int((expected >= 5).sum())
    pooled = [torch.cat([v[:many], v[many:].sum()[None]]).numpy() for v in (found, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-4


def test_numbers_are_read_in_raster_order_the_channels_of_a_pixel_together():
    alphabet = Alphabet("image", (3, 2, 4))
    x = torch.arange(24.0).view(1, 3, 2, 4)
    assert alphabet.line(x)[0, :4].tolist() == [0, 8, 16, 1]
    assert torch.equal(alphabet.whole(alphabet.line(x)), x)


@pytest.mark.parametrize(("kind", "mixture", "outputs"), [("binary", 0, 1), ("image", 0, 256), ("image", 4, 12)])
def test_draws_have_the_distribution_that_is_told(kind, mixture, outputs):
    torch.manual_seed(0)
    alphabet = Alphabet(kind, (1,), mixture=mixture)
    y = torch.randn(1, outputs)
    p = alphabet.log_levels(y)[0].exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    one = alphabet.number(torch.arange(len(p)), y)[None]
    torch.testing.assert_close(alphabet.log_prob(one, y.expand(len(p), -1)[None])[0], p.log())
    ends = torch.linspace(0, 1, 1_001)[:-1] + 1 / 2_000
    u = ends[:, None] if alphabet.grains == 1 else torch.cartesian_prod(ends, ends)
    drawn = alphabet.index(alphabet.draw(y.expand(len(u), -1), u))
    assert (drawn.bincount(minlength=len(p)) / len(u) - p).abs().max() < 0.0011


def random_model(alphabet):
    d = alphabet.size
    before = torch.ones(d, d).tril(-1)
    W = MaskedLinear(before.repeat_interleave(alphabet.outputs, 0).repeat_interleave(alphabet.inputs, 1))
    torch.nn.init.normal_(W.weight)
    return lambda line: W(alphabet.read(line).flatten(1)).unflatten(1, (d, -1))


@pytest.mark.parametrize("alphabet", [Alphabet("binary", (20,)), Alphabet("sequence", (9,), 4)], ids=["bits", "tokens"])
def test_samplers_give_the_same_numbers_from_the_same_noise(alphabet):
    torch.manual_seed(0)
    outputs, u = random_model(alphabet), alphabet.noise(16, torch.ones(()))
    line = one_by_one(outputs, alphabet, u)
    same, passes = fixed_point(outputs, alphabet, u)
    assert torch.equal(line, same) and passes <= alphabet.size + 1
    assert len(line.unique(dim=0)) > 8
    known = torch.arange(alphabet.size) % 3 == 0
    given = line.flip(0)
    completed = one_by_one(outputs, alphabet, u, given=given, known=known)
    assert torch.equal(completed[:, known], given[:, known]) and not torch.equal(completed, given)
    assert torch.equal(completed, fixed_point(outputs, alphabet, u, given, known)[0])


def test_nade_draws_from_a_running_sum_what_it_draws_naively():
    torch.manual_seed(0)
    alphabet = Alphabet("binary", (30,))
    P, u = Conditionals(30, 1, 8, 1), alphabet.noise(16, torch.ones(()))
    for p in P.parameters():
        torch.nn.init.normal_(p)
    assert torch.equal(P.draw(alphabet, u), one_by_one(lambda line: P(alphabet.read(line)), alphabet, u))


def test_a_sweep_has_the_gradient_of_a_cumulative_sum():
    torch.manual_seed(0)
    x, W, V, b, c = (torch.randn(*s, requires_grad=True) for s in ((3, 5, 2), (5, 2, 4), (5, 3, 4), (5, 3), (4,)))
    assert gradcheck(Sweep.apply, (x, W, V, b, c))
    steps = torch.einsum("nda,dah->ndh", x, W)
    a = c + steps.cumsum(1) - steps
    torch.testing.assert_close(Sweep.apply(x, W, V, b, c), b + torch.einsum("ndh,dkh->ndk", torch.sigmoid(a), V))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_every_set_of_masks_sees_all_that_comes_before_and_nothing_else(k):
    torch.manual_seed(0)
    P = Masked(6, 1, 64, 2, 1, 3)
    for p in P.parameters():
        torch.nn.init.uniform_(p, 0.5, 1)
    x = torch.rand(1, 6, 1, requires_grad=True)
    sees = (
        torch.stack(
            [torch.autograd.grad(P(x, P.masked(k))[0, i, 0], x, retain_graph=True)[0][0, :, 0] for i in range(6)]
        )
        != 0
    )
    order = P.get_buffer(f"degrees_{k}_0")
    assert torch.equal(sees, order[None] < order[:, None])


BITS = {
    "fvsbn": {}, "neural-ar": {}, "nade": {}, "pixelcnn": {}, "gated-pixelcnn": {},
    "pixelrnn": {"variant": "row"}, "pixelrnn, diagonal": {"variant": "diagonal"}, "pixelcnn-pp": {"mixture": 0},
}  # fmt: skip
"""Models whose bits take one uniform number each."""


@pytest.mark.parametrize("label", [*BITS, "made", "deep-nade", "multiscale-pixelcnn", "pixelcnn-pp, mixture"])
@pytest.mark.parametrize("shape", [(1, 2, 4), (3, 1, 2)])
def test_all_black_and_white_images_have_one_together(label, shape):
    if "pixelcnn-pp" in label and "mixture" not in label and shape[0] > 1:
        pytest.skip("a softmax of grey images only")
    game = game_of(label.partition(",")[0], DataSpec("image", shape, levels=2), **BITS.get(label, {}))
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * math.prod(shape)).view(-1, *shape)
    log_p = game.log_prob(every)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12) and log_p.std() > 0.01


@pytest.mark.parametrize("label", BITS)
def test_every_sampler_draws_what_the_naive_one_draws_from_the_same_noise(label):
    """One number after the other by its law, from the numbers that come first in the data's order: cached samplers,
    running sums and fixed points have to give the very same images."""
    game = game_of(label.partition(",")[0], DataSpec("image", (1, 4, 5), levels=2), **BITS[label])
    A, n = alphabet(DataSpec("image", (1, 4, 5), levels=2)), 12
    with seeded(3):
        u = torch.rand(n, 20, 1)
    line = torch.zeros(n, 20)
    for i in game.order or range(20):
        line[:, i] = A.number(quantile(game.law(A.whole(line), at=i), u[:, i]), line)
    assert torch.equal(game.sample(n, seed=3), A.whole(line)) and len(line.unique(dim=0)) > 8


# ------------------------------------------------------------------------- defects of published code, each a test


def test_masks_are_not_multiplied_into_the_weights_and_what_is_measured_does_not_depend_on_how_often():
    game = game_of("made", SPECS["binary"], masks=4)
    before = [p.clone() for p in game.parameters()]
    x = states(SPECS["binary"])
    first = game.log_prob(x)
    game.sample(5)
    assert torch.equal(first, game.log_prob(x))
    for p, q in zip(game.parameters(), before, strict=True):
        assert torch.equal(p, q)


def test_an_ensemble_over_orders_averages_probabilities_not_logits():
    game, x = game_of("made", SPECS["binary"], masks=3), states(SPECS["binary"])
    P, A = game.networks["model"], Alphabet("binary", (7,))
    each = torch.stack([A.log_prob(x, P(A.read(x), P.masked(k))).sum(1) for k in range(3)])
    torch.testing.assert_close(game.log_prob(x), each.exp().mean(0).log())
    logits = torch.stack([P(A.read(x), P.masked(k)) for k in range(3)]).mean(0)
    assert abs(A.log_prob(x, logits).sum(1).exp().sum() - 1) > 1e-3, "which would be no likelihood"


def test_nades_loss_takes_logits_so_that_it_can_fall_to_the_entropy_of_the_data():
    spec = DataSpec("binary", (4,))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=2))).repeat(1, 2)  # two fair bits, twice
    torch.manual_seed(0)
    game = adv.recipe("nade", "smoke", hidden=16).build(spec)
    (player,) = game.stage().players
    optimizer = torch.optim.Adam(player.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        sum(player.objective(adv.data.Batch(x)).values()).backward()
        optimizer.step()
    assert -game.log_prob(x).mean().item() == pytest.approx(torch.tensor(4.0).log().item(), abs=0.05)


def test_deep_nades_objective_is_the_mean_over_orders_of_the_negative_log_likelihood():
    spec = SPECS["binary"]
    game, x = game_of("deep-nade", spec), states(spec)[::11]
    (player,) = game.stage().players
    torch.manual_seed(1)
    with torch.no_grad():
        estimate = sum(player.objective(adv.data.Batch(x.repeat(400, 1))).values()).item()
    P, A = game.networks["model"], Alphabet("binary", spec.shape)

    def in_order(order):
        total, m = 0, torch.zeros(len(x), 7)
        for i in order:
            total = total + A.log_prob(x, P(A.read(x), m))[:, i]
            m[:, i] = 1
        return total

    with torch.no_grad():
        exact = torch.stack([in_order(torch.randperm(7).tolist()) for _ in range(300)])
    assert estimate == pytest.approx(-exact.mean().item(), abs=4 * exact.mean(1).std().item() / 300**0.5 + 0.1)
