"""What is the evidence lower bound made of, and what does beta do to each part?

    mean ELBO = (1/n) sum_i E_q(z|x_i) log p(x_i | z) - I_q(i; z) - KL(q(z) || p(z)),   q(z) = (1/n) sum_i q(z | x_i)
    I_q(i; z) = (1/n) sum_i E_q(z|x_i) log q(z | x_i) / q(z)  <=  log n
    trained for   max  E_q log p(x | z) - beta KL(q(z | x) || p(z))

VAEs with two latent dimensions are trained for several beta, and taken apart on held-out images. The four quantities
are had in four ways, so that none follows from the others: the bound by the model itself, the reconstruction by other
draws, the information by the log ratio at draws of each posterior, the marginal KL by quadrature over the plane. The
two sides must agree to 1%, and so must the closed-form rate and the sum of its two parts, at every beta (2% quick, with
fewer draws). The quadrature must find a mass of 1 to 1e-3. A larger beta pays for less rate: information, marginal KL
and reconstruction must fall with it, with rank correlations of -0.8 and below.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.distributions import kl, log_normal, rectangle
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, SIZE, curve, labelled, panels
from adversaria.metrics import elbo_surgery

SOURCES = ("003",)
MORE = ("Hoffman and Johnson (2016), ELBO surgery, NIPS workshop", "Higgins et al. (2017), beta-VAE, ICLR")
SLIP = "In 003 a sign is lost: the mutual information and the marginal KL are both subtracted from the reconstruction."
REACH = 3.6  # of the plane that is drawn


def run(bench: Bench) -> Outcome:
    betas = bench.pick([0.25, 1.0, 4.0], [0.25, 0.5, 1.0, 2.0, 4.0])
    rounds, n, draws = bench.pick((250, 100, 16), (3_000, 300, 100))
    square = torch.linspace(-REACH, REACH, 80).double()

    def taken_apart(trial: Trial, beta: float) -> dict[str, Any]:
        recipe = make("vae", "small", latent=2, network="mlp", hidden=64, beta=beta, adam={"lr": 2e-3}, rounds=rounds)
        game = trial.play(recipe)
        x = trial.data.examples(min(n, trial.data.size("test")), "test").x
        mean, log_sd = (part.double() for part in game.ask("posterior", x))
        sd = log_sd.exp()
        z = [(mean + sd * torch.randn_like(mean)).float() for _ in range(draws)]
        log_p = torch.stack([game.ask("likelihood", x, one) for one in z]).mean(0)
        parts = elbo_surgery(mean=mean, log_sd=log_sd, reconstruction=log_p, samples=draws, seed=trial.seed)
        q = MixtureSameFamily(Categorical(torch.ones(len(x))), Independent(Normal(mean, sd), 1))
        edge = max(6.0, float((mean.abs() + 6 * sd).max()))
        grid = rectangle((-edge, edge), (-edge, edge), panels=math.ceil(edge / (4 * float(sd.quantile(0.2)))))

        def log_q(points: Tensor) -> Tensor:
            return torch.cat([q.log_prob(some) for some in points.split(5_000)])

        at = log_q(grid.points)
        return {
            "bound": float(torch.stack([game.bound(x, seed=k) for k in range(draws)]).double().mean()),
            "reconstruction": float(log_p.double().mean()), "rate": parts["rate"].value,
            "information": parts["mutual information"].value,
            "marginal": float(kl(at, log_normal(grid.points), grid.weights)),
            "mass": float((grid.weights * at.exp()).sum()), "n": len(x),
            "density": log_q(torch.cartesian_prod(square, square)).exp().view(80, 80).float(),
        }  # fmt: skip

    runs = bench.each(lambda trial: [taken_apart(trial, beta) for beta in betas])
    told = {
        name: np.array([[found[name] for found in run] for run in runs]) for name in runs[0][0] if name != "density"
    }
    sides = told["reconstruction"] - told["information"] - told["marginal"]
    parts = told["information"] + told["marginal"]

    def rank(name: str, sign: int) -> list[float]:
        return [sign * float(spearmanr(betas, row).statistic) for row in told[name]]

    return Outcome(
        (
            below("largest relative difference of the bound's two sides",
                  list(np.abs(sides / told["bound"] - 1).max(1)), 0.01),
            below("largest relative difference of the rate and the sum of its parts",
                  list(np.abs(parts / told["rate"] - 1).max(1)), bench.pick(0.02, 0.01)),
            near("mass of q(z) on the grid, the worst", [float(row[np.abs(row - 1).argmax()]) for row in told["mass"]],
                 1.0, 1e-3),
            below("rank correlation of beta and mutual information", rank("information", 1), -0.8),
            below("rank correlation of beta and marginal KL", rank("marginal", 1), -0.8),
            below("rank correlation of beta and reconstruction", rank("reconstruction", 1), -0.8),
        ),
        {"beta": betas, "log n": math.log(told["n"].min()), **{name: told[name] for name in told if name != "n"},
         "density": [runs[0][0]["density"], runs[0][-1]["density"]]},
        "Rate is information about which image it was, plus what the codes as a whole differ from the prior by. "
        "A large beta buys less of both and pays in reconstruction; below, codes as a whole fill the prior (circles).",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    rate, cost, small, large = panels(figure, 2, 2)
    figure.set_size_inches(SIZE[0], 6.2)
    beta = told["beta"]
    curve(rate, beta, told["rate"], "rate, closed form", COLOURS[6], marker="o")
    curve(rate, beta, told["information"], "mutual information, by draws", COLOURS[0], marker="s")
    curve(rate, beta, told["marginal"], "marginal KL, by quadrature", COLOURS[1], marker="D")
    rate.set_ylim(0, 1.5 * float(np.max(told["rate"])))
    rate.set_xscale("log", base=2)
    labelled(rate, "beta", "nats an image")
    curve(cost, beta, told["reconstruction"], "reconstruction", COLOURS[2], marker="^")
    curve(cost, beta, told["bound"], "mean ELBO", COLOURS[6], marker="o")
    cost.set_xscale("log", base=2)
    labelled(cost, "beta", "nats an image")
    for axes, density, b in ((small, told["density"][0], beta[0]), (large, told["density"][1], beta[-1])):
        axes.imshow(np.asarray(density).T, origin="lower", extent=(-REACH, REACH, -REACH, REACH))
        turn = np.linspace(0, 2 * np.pi, 200)
        for r in (1, 2, 3):
            axes.plot(r * np.cos(turn), r * np.sin(turn), color="white", linewidth=0.7, linestyle="dotted")
        axes.grid(False)
        labelled(axes, "z_1", "z_2", f"density of q(z), beta = {b:g}")
