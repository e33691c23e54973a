"""PixelCNN++: the mixture over a pixel's colours is a distribution, drawn from as told; the network sees all it may."""

import pytest
import torch

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.distributions.colours import ColourMixture
from adversaria.distributions.logistic import log_discretised_logistic
from adversaria.errors import UserError
from adversaria.nn.pixelcnn_pp import PixelCNNpp
from adversaria.nn.sampling import fixed_point, one_by_one

pytestmark = pytest.mark.usefixtures("float64")
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def one_pixel(colours, mixture=3):
    torch.manual_seed(0)
    A = ColourMixture((colours, 1, 1), mixture)
    return A, torch.randn(1, 1, A.outputs)


def test_a_grey_pixel_s_levels_sum_to_one():
    A, y = one_pixel(1)
    p = A.log_prob(LEVELS[:, None, None], y.expand(256, -1, -1)).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12) and p.max() / p.min() > 2


def test_blue_sums_out_and_leaves_red_and_green_whose_mean_follows_red():
    A, y = one_pixel(3)
    log_w, mu, log_s, slope = y[0, 0].view(-1, 3).split([1, 3, 3, 3])
    for r, g in [(-0.5, 0.2), (1.0, -1.0), (0.1, 0.9)]:
        r, g = (LEVELS[(LEVELS - v).abs().argmin()] for v in (r, g))
        x = torch.stack([r.expand(256), g.expand(256), LEVELS], 1)[:, None]
        total = A.log_prob(x, y.expand(256, -1, -1)).logsumexp(0).item()
        means = mu[0], mu[1] + torch.tanh(slope[0]) * r
        each = sum(log_discretised_logistic(v.expand(3, 1), m[:, None], s[:, None])
                   for v, m, s in zip((r, g), means, log_s[:2], strict=True))  # fmt: skip
        assert total == pytest.approx((log_w[0].log_softmax(0) + each).logsumexp(0).item(), abs=1e-12)


@pytest.mark.parametrize("colours", [1, 3])
def test_draws_have_an_expected_score_of_zero(colours):
    A, y = one_pixel(colours)
    n = 40_000
    y = y.expand(n, -1, -1).clone().requires_grad_()
    x = A.draw(y.detach(), torch.rand(n, 1, 1 + colours))
    assert ((x + 1) * 127.5 - ((x + 1) * 127.5).round()).abs().max() < 1e-9
    (score,) = torch.autograd.grad(A.log_prob(x, y).sum(), y)
    z = score[:, 0].mean(0) / (score[:, 0].std(0) / n**0.5)
    assert z.abs().max() < 4.5 and score.std() > 0.05


@pytest.mark.parametrize(("shape", "levels"), [((4, 4), 1), ((8, 8), 2), ((5, 6), 1), ((7, 5), 2), ((3, 9), 0)])
def test_the_network_sees_all_earlier_pixels_and_no_other_through_every_resolution(shape, levels):
    torch.manual_seed(0)
    net, d, seen = PixelCNNpp(1, 6, 2, levels, 2, 0.0), shape[0] * shape[1], 0
    for p in net.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    x = torch.randn(1, 1, *shape, requires_grad=True)
    y = net(x).sum(1).flatten()
    seen = torch.stack([torch.autograd.grad(out, x, retain_graph=True)[0].flatten() for out in y]) != 0
    earlier = torch.ones(d, d).tril(-1).bool()
    assert not seen[~earlier].any()
    if levels:  # without halvings two layers don't reach that far
        assert seen[earlier].all()


def test_a_softmax_is_of_grey_images():
    torch.manual_seed(0)
    game = adv.recipe("pixelcnn-pp", "smoke", mixture=0).build(DataSpec("image", (1, 1, 2)))
    for p in game.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    every = torch.cartesian_prod(LEVELS, LEVELS).view(-1, 1, 1, 2)
    log_p = torch.cat([game.log_prob(part) for part in every.split(8192)])
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12) and log_p.std() > 0.01
    with pytest.raises(UserError, match="mixture is 0, a softmax for each pixel, and these images have 3 colours"):
        adv.recipe("pixelcnn-pp", "smoke", mixture=0).build(DataSpec("image", (3, 4, 4)))


def test_its_samples_are_those_of_the_naive_sampler():
    torch.manual_seed(0)
    game = adv.recipe("pixelcnn-pp", "smoke").build(DataSpec("image", (3, 4, 3)))
    A, P = ColourMixture((3, 4, 3), 2), game.networks["model"]
    for p in P.parameters():
        p.data = p.data + 0.1 * torch.randn_like(p)
    u = A.noise(5, next(P.parameters()))

    def outputs(line):
        return P(A.whole(line)).flatten(2).mT

    line = one_by_one(outputs, A, u)
    assert torch.equal(line, fixed_point(outputs, A, u)[0]) and line.std() > 0.1
    torch.testing.assert_close(A.line(A.whole(line)), line)
