"""Nearest codes, gradients past them, and the codebook's moving averages against their closed form."""

import pytest
import torch
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.nn.codebook import Codebook
from adversaria.ops import nearest, straight_through
from adversaria.recipes.quantised.vq_vae import VQVAE

pytestmark = pytest.mark.usefixtures("float64")


def vectors(n, d=2):
    """A batch (1, d, 1, n) of n vectors, as the codebook takes them."""
    return torch.randn(n, d).T[None, :, None]


def rows(z):
    return z.permute(0, 2, 3, 1).flatten(0, 2)


@pytest.mark.parametrize(("n", "k", "d"), [(50, 8, 3), (200, 64, 5), (7, 1, 2), (30, 100, 1)])
def test_nearest_is_the_argmin_of_the_distances(n, k, d):
    z, codes = torch.randn(n, d), torch.randn(k, d)
    distances = (z[:, None] - codes).square().sum(2)
    assert torch.equal(nearest(z, codes), distances.argmin(1))


def test_of_several_nearest_codes_the_first_is_taken():
    codes = torch.tensor([[5.0, 5], [1, 0], [0, 1], [-1, 0], [1, 0], [5, 5]])
    z = torch.tensor([[0.0, 0], [1, 0], [5, 5], [-3, 3], [3, 3]])
    assert nearest(z, codes).tolist() == [1, 1, 0, 2, 0]
    z = torch.randint(-4, 5, (300, 2)).double()
    codes = torch.randint(-4, 5, (40, 2)).double()
    ties = (z[:, None] - codes).square().sum(2)
    assert ((ties == ties.amin(1, keepdim=True)).sum(1) > 1).any()
    assert torch.equal(nearest(z, codes), ties.argmin(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_straight_through_is_the_value_to_the_bit_and_the_identity_to_gradients(dtype):
    value = torch.randn(1_000, dtype=dtype, requires_grad=True)
    through = (1e3 * torch.randn(1_000, dtype=dtype)).requires_grad_()
    out = straight_through(value, through)
    assert torch.equal(out, value)
    weight = torch.randn(1_000, dtype=dtype)
    to_value, to_through = torch.autograd.grad((weight * out).sum(), (value, through), allow_unused=True)
    assert to_value is None and torch.equal(to_through, weight)


def test_the_codebook_returns_the_nearest_codes_in_place():
    Q = Codebook(6, 3, 0.9, 0.0)
    z = torch.randn(2, 3, 4, 5)
    e, index = Q(z)
    assert e.shape == z.shape and index.shape == (2, 4, 5)
    for n, i, j in [(0, 0, 0), (1, 3, 4), (0, 2, 1)]:
        k = (z[n, :, i, j] - Q.codes).square().sum(1).argmin()
        assert index[n, i, j] == k and torch.equal(e[n, :, i, j], Q.codes[k])
    assert torch.equal(Q.look_up(index), e)


def test_codes_equal_the_closed_form_of_the_zero_debiased_averages():
    g, size = 0.8, 4
    Q = Codebook(size, 2, g, revive=0.0)
    Q.codes.copy_(torch.tensor([[2.0, 2], [-2, 2], [2, -2], [-2, -2]]))
    n, m, expected = [], [], Q.codes.clone()
    for t in range(1, 8):
        z = vectors(30) if t != 4 else vectors(30).abs()  # in step 4 some codes get nothing
        index = (rows(z)[:, None] - expected).square().sum(2).argmin(1)
        hot = F.one_hot(index, size).double()
        n.append(hot.sum(0))
        m.append(hot.T @ rows(z))
        weight = [(1 - g) * g ** (t - s) / (1 - g**t) for s in range(1, t + 1)]
        assert sum(weight) == pytest.approx(1)
        N = sum(w * x for w, x in zip(weight, n, strict=True))
        M = sum(w * x for w, x in zip(weight, m, strict=True))
        expected = M / N[:, None]
        Q(z)
        Q.update()
        torch.testing.assert_close(Q.codes, expected)
        torch.testing.assert_close(Q.counts / (1 - g**t), N)


def test_after_one_step_codes_are_the_means_of_their_vectors_whatever_they_began_as():
    Q = Codebook(2, 2, 0.99, revive=0.0)
    Q.codes.copy_(torch.tensor([[100.0, 0], [-100, 0]]))
    z = vectors(40)
    Q(z)
    Q.update()
    right = rows(z)[:, 0] > 0
    torch.testing.assert_close(Q.codes, torch.stack([rows(z)[right].mean(0), rows(z)[~right].mean(0)]))


def test_a_dead_code_is_set_to_a_vector_of_the_batch_with_an_even_share():
    Q = Codebook(4, 2, 0.9, revive=0.1)
    Q.codes.copy_(torch.tensor([[1.0, 0], [-1, 0], [1e3, 1e3], [0, -1e3]]))
    z = vectors(40)
    Q(z)
    Q.update()
    for k in (2, 3):
        assert (rows(z) == Q.codes[k]).all(1).any()
        assert Q.counts[k].item() / (1 - 0.9) == pytest.approx(10)
        torch.testing.assert_close(Q.sums[k] / Q.counts[k], Q.codes[k])
    assert not (rows(z) == Q.codes[0]).all(1).any(), "a code in use was replaced"


def test_a_code_in_use_above_the_threshold_is_not_replaced_and_one_below_is():
    for share, replaced in ((9, False), (3, True)):  # of 100 vectors and 4 codes: an even share is 25, a fifth of it 5
        Q = Codebook(4, 1, 0.5, revive=0.2)
        Q.codes.copy_(torch.tensor([[0.0], [10], [20], [30]]))
        z = torch.tensor([0.25] * (61 - share) + [10.25] * 20 + [20.25] * 19 + [30.25, 30.5] * share)
        z = z[: 100 - share].tolist() + [30.0 + 0.01 * i for i in range(share)]
        batch = torch.tensor(z)[None, None, None]
        index = Q(batch)[1]
        Q.update()
        mean = batch.flatten()[index.flatten() == 3].mean()
        assert (int((index == 3).sum()) / 25 > 0.2) is not replaced
        assert torch.isclose(Q.codes[3, 0], mean).item() is not replaced


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_revival_a_code_that_nothing_chooses_stays_where_it_is(dtype):
    Q = Codebook(3, 2, 0.9, revive=0.0).to(dtype)
    Q.codes.copy_(torch.tensor([[0.0, 0], [1e3, 1e3], [50, 50]]))
    z = vectors(10).to(dtype)
    Q(z + 50)  # the third code is chosen once, never again
    Q.update()
    third = Q.codes[2].clone()
    for _ in range(3_000):
        Q(z)
        Q.update()
    assert Q.codes[1].tolist() == [1e3, 1e3], "a code that was never used moved"
    torch.testing.assert_close(Q.codes[2], third, msg="a code that fell out of use drifted")
    torch.testing.assert_close(Q.codes[0], rows(z).mean(0))


def test_codes_do_not_learn_in_evaluation_mode():
    Q = Codebook(4, 2, 0.9, revive=0.5)
    before = {name: value.clone() for name, value in Q.state_dict().items()}
    Q.eval()
    Q(vectors(20))
    Q.update()
    assert all(torch.equal(value, before[name]) for name, value in Q.state_dict().items())


def vq_vae(**settings):
    recipe = VQVAE(codes=8, dim=3, width=4, prior_width=4, prior_layers=1, **settings)
    game = recipe.build(DataSpec(kind="image", shape=(1, 6, 6)))
    game.networks["codebook"].codes.normal_()
    return game, game.stage("codes").players[0]


def test_the_encoder_gets_the_decoders_input_gradient_and_the_commitments():
    game, player = vq_vae(beta=0.7)
    E, G, Q = (game.networks[name] for name in ("encoder", "decoder", "codebook"))
    x = torch.rand(5, 1, 6, 6) * 2 - 1
    gradients = torch.autograd.grad(player.loss(player.objective(Batch(x))), list(E.parameters()))

    z = E(x)
    e = Q(z)[0].requires_grad_()
    (at_input,) = torch.autograd.grad((G(e) - x).square().mean() / x.var(correction=0), e)
    at_z = at_input + 0.7 * 2 * (z - e).detach() / z.numel()
    for ours, by_hand in zip(gradients, torch.autograd.grad(z, list(E.parameters()), at_z), strict=True):
        torch.testing.assert_close(ours, by_hand)


def test_the_decoder_learns_from_the_codes_themselves():
    game, player = vq_vae()
    E, G, Q = (game.networks[name] for name in ("encoder", "decoder", "codebook"))
    x = torch.rand(5, 1, 6, 6) * 2 - 1
    gradients = torch.autograd.grad(player.loss(player.objective(Batch(x))), list(G.parameters()))
    by_hand = torch.autograd.grad((G(Q(E(x))[0]) - x).square().mean() / x.var(correction=0), list(G.parameters()))
    for ours, theirs in zip(gradients, by_hand, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("times", [2, 5])
def test_terms_do_not_depend_on_the_size_of_the_batch(times):
    _, player = vq_vae()
    x = torch.rand(6, 1, 6, 6) * 2 - 1
    once, often = player.objective(Batch(x)), player.objective(Batch(x.repeat(times, 1, 1, 1)))
    assert often["commitment"].item() == pytest.approx(once["commitment"].item(), rel=1e-12)
    # The data's variance is the unbiased one: it knows that a repeated batch has no more to say.
    bias = (x.numel() - 1) / x.numel() / ((times * x.numel() - 1) / (times * x.numel()))
    assert often["reconstruction"].item() * bias**-1 == pytest.approx(once["reconstruction"].item(), rel=1e-2)


def test_asking_the_model_between_moves_does_not_touch_its_codes():
    game, player = vq_vae()
    x = torch.rand(5, 1, 6, 6) * 2 - 1
    player.objective(Batch(x))
    seen = game.networks["codebook"]._seen
    game.encode(torch.rand(3, 1, 6, 6))
    game.reconstruct(torch.rand(3, 1, 6, 6))
    assert game.networks["codebook"]._seen is seen
