"""Each loss's theorem on discrete distributions: the best discriminator, its value, what generators then descend."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from adversaria.errors import UserError
from adversaria.objectives.adversarial import hinge_fake, hinge_real, is_fake, is_real, mostly_real
from adversaria.objectives.losses import (
    LOSSES,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
)

pytestmark = pytest.mark.usefixtures("float64")
P, Q = torch.tensor([1, 2, 3, 2]), torch.tensor([4, 1, 1, 2])  # counts of 8 over 4 states
CODES = [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (2.0, -1.0, 0.5)]
EVERY = [*(make() for make in LOSSES.values()), NonSaturating(0.1), Minimax(0.2), LeastSquares(-1.0, 1.0, 0.0)]
named = pytest.mark.parametrize("loss", EVERY, ids=str)


def state(counts):
    return torch.repeat_interleave(torch.arange(len(counts)), counts)


def shares(counts):
    return counts / counts.sum()


def total(terms):
    return torch.stack(list(terms.values())).sum()


def value(loss, logits):
    """The discriminator's loss, exactly, where it gives `logits` to the states."""
    return total(loss.discriminator(logits[state(P)], logits[state(Q)]))


def kl(p, q):
    return torch.xlogy(p, p / q).sum()


def jsd(p, q):
    return 0.5 * kl(p, (p + q) / 2) + 0.5 * kl(q, (p + q) / 2)


def tv(p, q):
    return 0.5 * (p - q).abs().sum()


def w1(p, q):
    return (p - q).cumsum(0).abs().sum()  # states at 0, 1, 2, 3


def two_sides(loss, p, q):
    """At best (p b + q a) / (p + q) and (b - a)^2 int p q / (p + q)."""
    return (loss.b * p + loss.a * q) / (p + q), (loss.b - loss.a) ** 2 * (p * q / (p + q)).sum()


def pairs_apart(p, q):
    a, b = torch.outer(p, q).flatten(), torch.outer(q, p).flatten()
    return math.log(2) - jsd(a, b)


BEST = {
    NonSaturating(): lambda p, q: ((p / q).log(), math.log(4) - 2 * jsd(p, q)),
    Minimax(): lambda p, q: ((p / q).log(), math.log(4) - 2 * jsd(p, q)),
    Hinge(): lambda p, q: ((p - q).sign(), 2 - 2 * tv(p, q)),
    Relativistic(): lambda p, q: ((p / q).log(), pairs_apart(p, q)),
} | {LeastSquares(*codes): lambda p, q, codes=codes: two_sides(LeastSquares(*codes), p, q) for codes in CODES}


def all_pairs(loss, logits):
    """The relativistic value over all 64 pairs; the others' over their two sides."""
    if not loss.paired:
        return value(loss, logits)
    real, fake = torch.cartesian_prod(logits[state(P)], logits[state(Q)]).T
    return total(loss.discriminator(real, fake))


@pytest.mark.parametrize("loss", BEST, ids=str)
def test_the_best_discriminator_and_its_value_are_those_of_the_docstring(loss):
    best, least = BEST[loss](shares(P), shares(Q))
    best.requires_grad_()
    at_best = all_pairs(loss, best)
    assert at_best.item() == pytest.approx(float(least), rel=1e-12)
    if loss != Hinge():  # whose minimum is a kink
        assert torch.autograd.grad(at_best, best)[0].abs().max() < 1e-13
    for _ in range(30):
        assert all_pairs(loss, best.detach() + 0.3 * torch.randn(4)) > at_best


def test_a_relativistic_discriminator_is_free_up_to_a_constant():
    logits = torch.randn(4)
    torch.testing.assert_close(all_pairs(Relativistic(), logits), all_pairs(Relativistic(), logits + 3.0))


def test_the_best_critic_of_slope_one_measures_the_wasserstein_distance():
    p, q = shares(P), shares(Q)
    f = best_critic(p, q)
    exact = wasserstein_distance(range(4), range(4), p.numpy(), q.numpy())
    assert w1(p, q).item() == pytest.approx(exact, rel=1e-12)
    assert value(Wasserstein(), f).item() == pytest.approx(-exact, rel=1e-12)
    for _ in range(30):
        other = torch.cat([torch.zeros(1), (2 * torch.rand(3) - 1).cumsum(0)])
        assert value(Wasserstein(), other) > -exact


def best_critic(p, q):
    """Of slope 1: down where more of q than of p lies on the left."""
    return torch.cat([torch.zeros(1), -(p - q).cumsum(0)[:-1].sign().cumsum(0)])


DESCENT = {
    NonSaturating(): (lambda p, q: (p / q).log(), lambda p, q: kl(q, p) - 2 * jsd(p, q)),
    Minimax(): (lambda p, q: (p / q).log(), lambda p, q: 2 * jsd(p, q)),
    Hinge(): (lambda p, q: (p - q).sign(), lambda p, q: 2 * tv(p, q)),
    Wasserstein(): (best_critic, w1),
}


@pytest.mark.parametrize("loss", DESCENT, ids=str)
def test_at_the_best_discriminator_the_generator_descends_the_divergence_of_the_docstring(loss):
    discriminator, divergence = DESCENT[loss]
    p, theta = shares(P), shares(Q).log().requires_grad_()
    q = theta.softmax(0)
    D = discriminator(p, q.detach())
    played = (q * torch.stack([total(loss.generator(D[i : i + 1])) for i in range(4)])).sum()
    moves = torch.autograd.grad(played, theta, retain_graph=True)[0]
    torch.testing.assert_close(moves, torch.autograd.grad(divergence(p, q), theta)[0])
    assert moves.abs().max() > 0.01


def test_least_squares_with_codes_one_and_two_apart_is_pearsons_divergence():
    loss, p, q = LeastSquares(-1.0, 1.0, 0.0), shares(P), shares(Q)
    D = (p - q) / (p + q)
    both = total(loss.generator(D[state(Q)])) + total(loss.mirror(D[state(P)]))
    chi = ((2 * q - (p + q)).square() / (p + q)).sum()
    assert both.item() == pytest.approx(chi.item(), rel=1e-12)
    other = LeastSquares(3.0, 5.0, 4.0)  # b - c = 1, b - a = 2 again
    both = total(other.generator(D[state(Q)] + 4)) + total(other.mirror(D[state(P)] + 4))
    assert both.item() == pytest.approx(chi.item(), rel=1e-12)


@pytest.mark.parametrize("make", [NonSaturating, Minimax])
@pytest.mark.parametrize("s", [0.1, 0.25, 0.9])
def test_one_sided_smoothing_scales_the_best_discriminator_by_the_target_and_keeps_the_samples_side(make, s):
    p, q, loss = shares(P), shares(Q), make(smooth=s)
    D = (1 - s) * p / (p + q)
    best = torch.logit(D).requires_grad_()
    assert torch.autograd.grad(value(loss, best), best)[0].abs().max() < 1e-14
    x = torch.randn(5)
    assert loss.discriminator(x, x)["fake"] == make().discriminator(x, x)["fake"]
    by_hand = -((1 - s) * torch.sigmoid(x).log() + s * torch.sigmoid(-x).log()).mean()
    torch.testing.assert_close(loss.discriminator(x, x)["real"], by_hand)
    assert loss.generator(x) == make().generator(x) and loss.mirror(x) == make().mirror(x)


def test_without_smoothing_the_logistic_terms_are_is_real_and_is_fake_to_the_last_bit():
    x, y = torch.randn(6), torch.randn(6)
    for loss in (NonSaturating(), Minimax()):
        assert loss.discriminator(x, y) == {"real": is_real(x), "fake": is_fake(y)}
    assert mostly_real(x, 0.0) == is_real(x)


def test_the_logistic_joint_game_is_the_discriminators_with_sides_exchanged():
    p, q = torch.randn(6), torch.randn(6)
    assert total(NonSaturating().generator(p) | NonSaturating().mirror(q)) == is_real(p) + is_fake(q)


REFLECTED = {
    NonSaturating(): lambda x: -x,
    Minimax(): lambda x: -x,
    Hinge(): lambda x: -x,
    Wasserstein(): lambda x: -x,
} | {LeastSquares(*codes): lambda x, codes=codes: codes[0] + codes[1] - x for codes in CODES}


@pytest.mark.parametrize("loss", REFLECTED, ids=str)
def test_the_mirror_is_the_generators_side_where_data_and_samples_change_names(loss):
    real, fake, reflect = torch.randn(6), torch.randn(6), REFLECTED[loss]
    torch.testing.assert_close(total(loss.mirror(real)), total(loss.generator(reflect(real))))
    swapped = loss.discriminator(reflect(fake), reflect(real))
    torch.testing.assert_close(total(loss.discriminator(real, fake)), total(swapped))  # the game is symmetrical


def test_with_the_usual_codes_the_mirror_pulls_to_the_code_of_samples():
    x = torch.randn(6)
    assert LeastSquares().mirror(x)["mirror"] == x.square().mean()
    assert LeastSquares(a=-1.0, b=1.0, c=1.0).mirror(x)["mirror"] == (x + 1).square().mean()


@pytest.mark.parametrize("loss", [Minimax(), Wasserstein()], ids=str)
def test_zero_sum_games_sum_to_zero(loss):
    real, fake = torch.randn(6), torch.randn(6)
    both = total(loss.generator(fake) | loss.mirror(real))
    torch.testing.assert_close(both, -total(loss.discriminator(real, fake)))


def test_the_relativistic_generator_plays_the_swapped_game_on_both_sides():
    real, fake = torch.randn(6, requires_grad=True), torch.randn(6, requires_grad=True)
    loss = Relativistic()
    played, swapped = total(loss.generator(fake, real)), total(loss.discriminator(fake, real))
    torch.testing.assert_close(played, swapped)
    slopes = torch.autograd.grad(played, (real, fake))
    torch.testing.assert_close(slopes[1], -torch.sigmoid(real - fake).detach() / 6)
    torch.testing.assert_close(slopes[0], -slopes[1])
    assert loss.mirror(real) == {} and loss.paired


def test_hinge_has_nothing_to_gain_beyond_its_margins():
    x = torch.tensor([-3.0, -0.5, 0.5, 3.0], requires_grad=True)
    assert hinge_real(x).item() == (4 + 1.5 + 0.5) / 4 and hinge_fake(x).item() == (0.5 + 1.5 + 4) / 4
    assert torch.autograd.grad(hinge_real(x), x)[0].tolist() == [-0.25, -0.25, -0.25, 0]
    assert torch.autograd.grad(hinge_fake(x), x)[0].tolist() == [0, 0.25, 0.25, 0.25]


def sides(loss, real, fake):
    return loss.discriminator(real, fake), loss.generator(fake, real), loss.mirror(real)


@named
def test_gradients_equal_finite_differences(loss):
    x = (torch.tensor([-1.7, 0.3, 2.2], requires_grad=True), torch.tensor([0.4, -2.1, 1.4], requires_grad=True))
    for side in range(3):
        if sides(loss, *x)[side]:
            assert torch.autograd.gradcheck(lambda *v, side=side: total(sides(loss, *v)[side]), x)


@named
@pytest.mark.parametrize("logit", [-1e4, -100.0, 100.0, 1e4])
@pytest.mark.parametrize("other", [-100.0, 0.0, 1e4])
def test_float32_is_as_good_as_float64_at_extreme_logits(loss, logit, other):
    found = {}
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([logit], dtype=dtype, requires_grad=True)
        y = torch.tensor([other], dtype=dtype, requires_grad=True)
        for side, terms in enumerate(sides(loss, x, y)):
            if terms:
                loss_value = total(terms)
                slopes = torch.autograd.grad(loss_value, (x, y), allow_unused=True)
                found[dtype, side] = [loss_value, *(g for g in slopes if g is not None)]
    for (dtype, side), values in found.items():
        assert all(torch.isfinite(v).all() for v in values)
        for mine, exact in zip(values, found[torch.float64, side], strict=True):
            assert mine.dtype == dtype
            torch.testing.assert_close(mine.double(), exact, rtol=1e-6, atol=1e-37)


@named
def test_half_precision_logits_are_widened_first(loss):
    x, y = torch.randn(64).bfloat16(), torch.randn(64).bfloat16()
    for narrow, wide in zip(sides(loss, x, y), sides(loss, x.float(), y.float()), strict=True):
        assert narrow == wide
        assert all(term.dtype == torch.float32 for term in narrow.values())


@named
@pytest.mark.parametrize("shape", [(5,), (5, 1), (2, 1, 3, 3)])
def test_terms_are_means_over_any_shape_under_names_that_do_not_clash(loss, shape):
    real, fake = torch.randn(shape), torch.randn(shape)
    for terms, flat in zip(sides(loss, real, fake), sides(loss, real.flatten(), fake.flatten()), strict=True):
        assert all(term.shape == () for term in terms.values())
        for name, term in terms.items():
            torch.testing.assert_close(term, flat[name])
    assert not loss.generator(fake, real).keys() & loss.mirror(real).keys()


def test_only_the_relativistic_loss_compares_and_the_others_do_not_ask():
    assert {name for name, make in LOSSES.items() if make().paired} == {"relativistic"}
    fake, real = torch.randn(4), torch.randn(7)
    for make in LOSSES.values():
        if not make().paired:
            assert make().generator(fake, real) == make().generator(fake)


def test_bad_settings_and_logits_are_told_in_a_line():
    for make in (NonSaturating, Minimax):
        for smooth in (-0.1, 1.0, float("nan")):
            with pytest.raises(UserError, match="the target on data is 1 - smooth"):
                make(smooth)
    with pytest.raises(UserError, match="both 2; they must differ"):
        LeastSquares(a=2.0, b=2.0)
    with pytest.raises(UserError, match="give the generator the data's logits"):
        Relativistic().generator(torch.zeros(3))
    for fake in (torch.zeros(4), torch.zeros(3, 1)):  # the second would broadcast to a 3 x 3 table
        with pytest.raises(UserError, match="give as many samples as data"):
            Relativistic().discriminator(torch.zeros(3), fake)
