"""Twenty defects found in popular implementations of these models, each a test that ours doesn't have it."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import adversaria as adv
from adversaria import catalogue
from adversaria.cli import main
from adversaria.cli.tables import compared
from adversaria.data import Batch, DataSpec, load
from adversaria.game.game import seeded
from adversaria.metrics.kinds import likelihood_estimate
from adversaria.metrics.likelihood import importance_weighted, negative_log_likelihood
from adversaria.nn.codebook import Codebook
from adversaria.nn.dequantise import Dequantised
from adversaria.nn.splines import spline
from adversaria.recipes.autoregressive.pixelcnn import Residual
from adversaria.report.compare import write_comparison
from adversaria.runs.score import score

BITS = DataSpec("binary", (9,))
IMAGE = DataSpec("image", (1, 4, 4))


def built(name, spec, seed=0, **changed):
    torch.manual_seed(seed)
    game = adv.recipe(name, "smoke", **changed).build(spec)
    for p in game.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    return game


def loss(game, x, labels=None):
    (player,) = game.stage().players
    return sum(player.objective(Batch(x, labels)).values())


def test_01_probabilities_taken_for_logits():
    """With sigmoids passed on as logits a bit costs softplus(-1) at least, 0.31 nats, however sure the model is."""
    game = built("nade", BITS)
    with torch.no_grad():
        game.networks["model"].V.zero_()
        game.networks["model"].b.fill_(-20.0)
    assert loss(game, torch.zeros(4, 9)).item() < 1e-6


def test_02_masks_multiplied_into_the_weights():
    """They zero for good what another set of masks would have seen, and a likelihood changes with each look."""
    game = built("made", BITS, masks=3)
    x, before = (torch.rand(20, 9) < 0.5).float(), {k: v.clone() for k, v in game.state_dict().items()}
    first = game.log_prob(x)
    game.sample(10)
    loss(game, x)
    assert torch.equal(game.log_prob(x), first)
    assert all(torch.equal(v, before[k]) for k, v in game.state_dict().items())


def test_03_a_residual_added_twice():
    """x + (x + f(x)) doubles activations with every block."""
    block, x = Residual(12, 1), torch.randn(2, 12, 5, 5)
    for p in block.parameters():
        nn.init.zeros_(p)
    assert torch.equal(block(x), x)


def test_04_options_that_never_reach_the_run(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["train", "nade", "--preset", "smoke", "--data", "digits-static", "--rounds", "3", "--seed", "7"]
    assert main([*arguments, "--threads", "1", "--out", str(out)]) == 0
    config = adv.load_run(out).folder.config
    assert (config.seed, config.threads, config.rounds, config.device) == (7, 1, 3, "cpu")
    if not torch.cuda.is_available():
        assert main([*arguments, "--device", "cuda", "--out", str(tmp_path / "gpu")]) == 2
        assert "cuda" in capsys.readouterr().err


def test_05_unused_codes_blown_up_by_averages_that_start_at_nothing():
    book = Codebook(50, 4, 0.99, 0.0)
    for _ in range(3):
        book(torch.randn(8, 4, 2, 2) * 0.01)
        book.update()
    assert book.codes.abs().max() < 1


def test_06_samples_from_another_prior_than_was_trained():
    game = built("nice", DataSpec("points", (2,)))
    z = game.latent(40_000, seed=0)
    assert z.var(0).mean().item() == pytest.approx(math.pi**2 / 3, rel=0.05)  # a normal one has 1
    assert (game.encode(game.sample(100, seed=1)) - game.latent(100, seed=1)).abs().max() < 1e-3


def test_07_a_test_set_that_is_drawn_anew_each_time():
    one, two = load("digits-dynamic"), load("digits-dynamic")
    assert torch.equal(one.examples(50, "test").x, two.examples(50, "test").x)
    batches = one.batches(one.size("test"), seed=0, split="test")
    assert batches.at(0).x.sum() == batches.at(1).x.sum()


@pytest.mark.parametrize("samples", [1, 7, 130])
def test_08_another_number_of_samples_than_was_asked_for(samples):
    drawn = []

    def likelihood(x, z):
        drawn.append(len(z))
        return -x.square().sum(1) - z.square().sum(1)

    def posterior(x):
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    x = torch.randn(5, 2)
    found = importance_weighted(x, likelihood=likelihood, posterior=posterior, samples=samples, chunk=100)
    assert sum(drawn) == 5 * samples and found.log_p.shape == (5,)
    model = {"likelihood": likelihood, "prior": lambda z: -z.square().sum(1), "posterior": posterior}
    told = negative_log_likelihood(model, x, data="continuous", samples=samples)
    assert told.value > 0 and f"K={samples}" in told.protocol["kind"], "a negative log-likelihood, and its K"


def test_09_an_importance_weighted_bound_told_too_high():
    """sum w~ log w isn't log mean w: it is higher by log K less the entropy of the weights."""
    torch.manual_seed(0)
    game = built("iwae", DataSpec("points", (2,)), k=50)
    x = torch.randn(100, 2)
    with seeded(0), torch.no_grad():
        told = -loss(game, x).item()
        torch.manual_seed(0)
        h, log_q = game.networks["inference"].draw(x, 50)
        many = x.repeat(50, 1)
        log_w = (game.abilities["likelihood"](many, h) + game.abilities["prior"](h) - log_q).view(50, 100)
    assert told == pytest.approx((log_w.logsumexp(0) - math.log(50)).mean().item(), abs=1e-4)
    assert told < (log_w.softmax(0) * log_w).sum(0).mean().item()


def test_10_a_commitment_that_grows_with_the_batch():
    game, x = built("vq-vae", DataSpec("image", (1, 8, 8))), torch.rand(4, 1, 8, 8) * 2 - 1
    (player,) = game.stage("codes").players
    one, four = (player.objective(Batch(x.repeat(k, 1, 1, 1)))["commitment"] for k in (1, 4))
    torch.testing.assert_close(one, four)


@pytest.mark.parametrize("name", ["pixelcnn", "gated-pixelcnn", "pixelcnn-pp", "pixelrnn"])
def test_11_statistics_of_a_batch_that_tell_of_later_pixels(name):
    game, x = built(name, IMAGE), torch.randint(0, 256, (6, 1, 4, 4)) / 127.5 - 1
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in game.modules())
    torch.testing.assert_close(game.log_prob(x)[:1], game.log_prob(x[:1]))
    assert game.sample(1, seed=0).shape == (1, 1, 4, 4)


@pytest.mark.parametrize("name", ["nade", "pixelcnn", "pixelcnn-pp", "vae", "glow"])
def test_12_sums_over_pixels_in_half_precision(name):
    game, x = built(name, IMAGE), torch.randint(0, 256, (6, 1, 4, 4)) / 127.5 - 1
    ability = "log_prob" if game.can("log_prob") else "bound"
    exact = game.ask(ability, x, seed=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = game.ask(ability, x, seed=0)
    assert rough.dtype == exact.dtype == torch.float32 and rough.isfinite().all()
    assert (rough - exact).abs().mean() < 0.1 * exact.abs().mean(), "networks round, sums don't"
    told = negative_log_likelihood(game, x, data="8-bit pixels", by="exact" if ability == "log_prob" else "lower bound")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        again = negative_log_likelihood(game, x, data="8-bit pixels",
                                        by="exact" if ability == "log_prob" else "lower bound")  # fmt: skip
    assert told.value == again.value


class HalfSums(TorchDispatchMode):
    """The sums and means that are taken in half precision."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, half = func.overloadpacket.__name__, (torch.bfloat16, torch.float16)
        taken = any(isinstance(a, torch.Tensor) and a.dtype in half for a in args)
        if taken and name in ("sum", "mean", "logsumexp", "cumsum", "mv", "dot", "prod"):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


FAMILIES = ("autoregressive", "flow", "variational", "quantised")
POINTS = ("maf", "iaf", "planar", "radial", "spline-flow")
VARIANTS = [("vae-nf", {"flow": "radial"}), ("glow", {"dequantisation": "variational"}), ("deep-nade", {"orders": 3}),
            ("vae-iaf", {"layers": 2}), ("vae", {"likelihood": "normal"})]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changed"),
    [(name, {}) for name, entry in catalogue.entries().items() if entry.family in FAMILIES] + VARIANTS,
)
def test_12_densities_and_determinants_in_half_precision(name, changed):
    """Not the whole alone: log q and log p(z) are what others weigh by, and a determinant is summed within a layer."""
    spec = DataSpec("points", (4,)) if name in POINTS else DataSpec("image", (1, 8, 8))
    game = built(name, spec, **changed)
    x = torch.randint(0, 256, (6, *spec.shape)) / 127.5 - 1
    with HalfSums() as sums, torch.autocast("cpu", dtype=torch.bfloat16):
        told = {key: game.ask(key, x, seed=0) for key in ("log_prob", "bound") if game.can(key)}
        if game.can("infer"):
            z, told["q"] = game.ask("infer", x, seed=0)
            told |= {"prior": game.ask("prior", z), "likelihood": game.ask("likelihood", x, z)}
    assert {k: v.dtype for k, v in told.items()} == dict.fromkeys(told, torch.float32) and not sums.found


def test_13_points_without_a_likelihood_left_out_and_a_logit_that_forgets_its_scale():
    log_p = torch.tensor([-1.0, math.nan, -2.0, -math.inf])
    told = likelihood_estimate(log_p, kind="exact", data="continuous", dims=1)
    assert not math.isfinite(told.value) and told.details["not_finite"] == 2 and "rows 1, 3" in told.bias
    pixels, x = Dequantised(a=0.05), torch.full((1, 1, 1, 1), 0.2)
    u = torch.full_like(x, 0.4).double().requires_grad_()
    h, log_slope = pixels.spread(x.double(), u)
    assert log_slope.item() == pytest.approx(torch.autograd.grad(h.sum(), u)[0].log().item(), abs=1e-9)


def test_14_a_spline_s_determinant_with_the_wrong_sign():
    """Where inverse and determinant are wrong alike, f and its inverse still cancel: only the derivative tells."""
    torch.manual_seed(0)
    x, raw = (
        torch.linspace(-2.9, 2.9, 60, dtype=torch.float64)[:, None].requires_grad_(),
        torch.randn(60, 1, 11).double(),
    )
    y, log_slope = spline(x, raw, 4, 3.0, inverse=False)
    torch.testing.assert_close(log_slope, torch.autograd.grad(y.sum(), x)[0].log())
    back, other = spline(y, raw, 4, 3.0, inverse=True)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(other, -log_slope)


@pytest.mark.parametrize(("name", "changed"), [("made", {"masks": 4}), ("deep-nade", {"orders": 4})])
def test_15_logits_averaged_over_orders(name, changed):
    """The mean of logits is no probability: those of all states don't add up to 1. The mean of probabilities does."""
    game = built(name, BITS, **changed).double()
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 9)
    assert game.log_prob(states).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_16_a_mean_over_batches_that_loses_the_last_one():
    x = torch.arange(130.0)[:, None]
    told = negative_log_likelihood({"log_prob": lambda x: -x[:, 0]}, x, data="continuous", chunk=50)
    assert told.value == pytest.approx(64.5) and told.n == 130


def test_17_the_worst_sample_given_the_largest_weight(monkeypatch):
    """The gradient weighs a sample by softmax(log w); by softmax(-log w), weights add up to 1 just as well."""
    recipe, seen = adv.recipe("iwae", "smoke", k=6), {}
    log_weights = type(recipe).log_weights

    def kept(self, *arguments):
        seen["log_w"] = log_weights(self, *arguments)
        seen["log_w"].retain_grad()
        return seen["log_w"]

    monkeypatch.setattr(type(recipe), "log_weights", kept)
    torch.manual_seed(0)
    loss(recipe.build(DataSpec("points", (2,))), torch.randn(1, 2)).backward()
    log_w = seen["log_w"].detach()
    assert log_w.std() > 0.5, "samples that weigh alike tell nothing"
    torch.testing.assert_close(-seen["log_w"].grad, log_w.softmax(0))


def test_18_a_commitment_on_the_wrong_side():
    """beta weighs what draws the encoder to its code; the codebook follows by its averages, not by a gradient."""
    x, moved = torch.rand(4, 1, 8, 8) * 2 - 1, {}
    for beta in (0.25, 1.0):
        game = built("vq-vae", DataSpec("image", (1, 8, 8)), beta=beta)
        (player,) = game.stage("codes").players
        term = player.objective(Batch(x))["commitment"]
        moved[beta] = torch.autograd.grad(term, next(game.networks["encoder"].parameters()))[0]
        assert not any(p.requires_grad for p in game.networks["codebook"].parameters())
    torch.testing.assert_close(4 * moved[0.25], moved[1.0])


@pytest.mark.parametrize("name", ["fvsbn", "nade", "pixelcnn", "gated-pixelcnn", "pixelrnn"])
def test_19_an_order_that_isn_t_the_raster_s(name):
    game = built(name, DataSpec("image", (1, 3, 3), levels=2)).double()
    x = torch.where(torch.rand(1, 1, 3, 3) < 0.5, -1.0, 1.0).double()
    law = game.law(x)[0]
    for i in range(9):
        other = x.clone().flatten()
        other[i] *= -1
        changed = (game.law(other.view_as(x))[0] - law).abs().amax(1) > 1e-12
        assert not changed[: i + 1].any(), f"pixel {i} tells of itself or of those before it"


def test_20_numbers_of_one_data_set_told_of_another(tmp_path, capsys):
    static, dynamic, grey = load("digits-static"), load("digits-dynamic"), load("digits")
    assert len({d.fingerprint for d in (static, dynamic, grey)}) == 3
    assert len({d.name for d in (static, dynamic, grey)}) == 3
    for data in (static, dynamic):
        splits = [set(data.splits[s].tolist()) for s in ("train", "valid", "test")]
        assert not (splits[0] & splits[1] or splits[0] & splits[2] or splits[1] & splits[2])
    images = tmp_path / "images"
    images.mkdir()
    for k in range(240):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (8, 8, 3), np.uint8)).save(images / f"{k}.jpg")
    coded = load(images)
    assert coded.lossy and any("JPEG-coded" in note for note in coded.notes) and not grey.lossy
    run = adv.train(adv.recipe("nade", "smoke", batch=4), coded, out=tmp_path / "run")
    assert score(run.game, coded).protocol["pixels"] == "JPEG-coded"
    (told,) = run.evaluate(metrics=["likelihood"], features="pixels", n=10)["estimates"]
    assert "compares with no published number" in told["bias"]
    other = adv.train(adv.recipe("fvsbn", "smoke", batch=4), coded, out=tmp_path / "other")
    told = adv.compare([run, other], n=10, metrics=["likelihood"], features="pixels")
    assert any("compares with no published number" in line for line in compared(told))
    page = write_comparison([run.path, other.path], told, tmp_path / "comparison.html")
    assert "compares with no published number" in page.read_text()
    told = adv.compare([run, other], n=10, metrics=["sliced"], features="pixels")
    assert not any("JPEG" in line for line in compared(told)), "no likelihood was told"
    capsys.readouterr()
    assert main(["compress", str(run.path), "-n", "1"]) == 0
    assert "compares with no published number" in capsys.readouterr().out
