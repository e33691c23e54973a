"""Two thin sets that do not meet: does a perfect discriminator exist, does it teach anything, and does noise help?

    P on a curve, Q_theta on the same curve shifted by theta, both in R^100:
    KL = infinity,  JSD = log 2,  D* = 1 on one and 0 on the other,  d/dtheta E log(1 - D*) = 0   for every theta > 0
    with noise of sd s on both:  JSD(P_s, Q_s) < log 2, and it falls as theta does

P is a circle of radius 1 in a plane of R^100, chosen at random, and Q_theta is moved by theta = 0.5 along a third
direction, so that they are parallel and never meet. A discriminator is trained on exact points and on noisy ones. On
exact points it must reach 100 % accuracy on fresh draws, its JSD must be log 2 within 0.01, and the gradient in theta
of the minimax loss must fall below 1 % of that of the noisy laws, by quadrature. With noise of sd 0.5 on both, only
the third direction tells P_s and Q_s apart: N(0, s^2) from N(theta, s^2), since the circles' noisy images in the plane
are the same. The JSD by quadrature must be below log 2 by 0.3, the trained one within 0.03 of it, and the gradient
within 25 % of the quadrature's.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from adversaria.claims.check import Trial
from adversaria.distributions import jensen_shannon, line
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import Minimax

SOURCES = ("000", "001")
MORE = ("Arjovsky and Bottou (2017), arXiv:1701.04862",)
SLIP = "001 leaves out the factors 1/2 in the Jensen-Shannon divergence; it is log 2 on disjoint supports with them."
DIM, THETA, NOISE = 100, 0.5, 0.5
GRID = line(-8.0, 9.0, 64)


def exact(theta: Tensor, sd: float) -> Tensor:
    """JSD of N(0, sd^2) and N(theta, sd^2), by quadrature."""
    x = GRID.points[:, 0]
    return jensen_shannon(Normal(0.0, sd).log_prob(x), Normal(theta, sd).log_prob(x), GRID.weights)


def drawn(frame: Tensor, sd: float, theta: float | Tensor, n: int) -> Tensor:
    """Points of the circle, in the frame's first two directions, shifted by theta along the third."""
    angle = 2 * math.pi * torch.rand(n)
    x = torch.stack([angle.cos(), angle.sin()], 1) @ frame[:2] + theta * frame[2]
    return x + sd * torch.randn(n, DIM)


def run(bench: Bench) -> Outcome:
    steps = bench.pick([0, 10, 30, 100, 300], [0, 10, 30, 100, 300, 1_000])

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, sd, rate in (("exact", 0.0, 1e-2), ("noisy", NOISE, 1e-3)):
            torch.manual_seed(trial.seed)
            D, at = MLPReader(DIM, 1, 64, 1), partial(drawn, torch.linalg.qr(torch.randn(DIM, 3)).Q.T, sd)
            slopes, values = [], []
            for i, (before, after) in enumerate(zip([0, *steps], steps, strict=False)):
                if after > before:
                    told = neural_distance(
                        D, partial(at, 0.0), partial(at, THETA), loss=Minimax(), rounds=after - before,
                        batch=512, n=20_000, adam=Adam(lr=rate), seed=trial.seed * 100 + i,
                    )  # fmt: skip
                    values.append(told.details["jsd"])
                theta = torch.tensor(THETA, requires_grad=True)
                loss = Minimax().generator(D(at(theta, 20_000)))["minimax"]
                slopes.append(abs(float(torch.autograd.grad(loss, theta)[0])))
            with torch.no_grad():
                right = (torch.cat([D(at(0.0, 10_000)), -D(at(THETA, 10_000))]) > 0).float()
            found[name] = {"slope": slopes, "JSD": values[-1], "accuracy": float(right.mean())}
        return found

    runs = bench.each(once)
    theta = torch.tensor(THETA, dtype=torch.float64, requires_grad=True)
    truth = exact(theta, NOISE)
    slope = 2 * float(torch.autograd.grad(truth, theta)[0])
    sds = torch.logspace(-1.3, 0.5, 40).tolist()
    thetas = torch.linspace(0, 2, 41).double()
    return Outcome(
        (
            near("exact points: accuracy of D", [run["exact"]["accuracy"] for run in runs], 1.0, 0.0),
            near("exact points: JSD by D", [run["exact"]["JSD"] for run in runs], math.log(2), 0.01, "nats", "log 2"),
            below("exact points: gradient in theta at the end, over that of the noisy laws",
                  [run["exact"]["slope"][-1] / slope for run in runs], 0.01),
            below("noise: JSD by quadrature", truth.item(), math.log(2) - 0.3, "nats"),
            near("noise: JSD by D", [run["noisy"]["JSD"] for run in runs], truth.item(), 0.03, "nats", "by quadrature"),
            near("noise: gradient in theta at the end", [run["noisy"]["slope"][-1] for run in runs], slope, slope / 4,
                 exact="2 dJSD / dtheta by quadrature"),
        ),
        {"steps": steps, "slope": slope, "sd": sds, "by sd": [float(exact(theta.detach(), s)) for s in sds],
         "theta": thetas, "by theta": [float(exact(t, NOISE)) for t in thetas],
         **{name: [run[name]["slope"] for run in runs] for name in ("exact", "noisy")}},
        "The better D tells the exact curves apart, the less of its gradient is left. With noise on both sides it "
        "settles at the slope of the noisy laws' divergence, which is no longer log 2 and says which way to go.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    slopes, noise, way = panels(figure, 3)
    figure.set_size_inches(10.0, 3.3)
    curve(slopes, told["steps"], told["exact"], "exact points", COLOURS[1], marker="o", ms=4)
    curve(slopes, told["steps"], told["noisy"], f"noise of sd {NOISE:g}", COLOURS[0], marker="s", ms=4)
    slopes.axhline(told["slope"], color=COLOURS[6], linestyle="dotted", label="by quadrature")
    slopes.set(yscale="log")
    labelled(slopes, "steps of D", "gradient of the minimax loss in theta", "what D teaches")
    noise.plot(told["sd"], told["by sd"], color=COLOURS[0], label=f"theta = {THETA:g}")
    noise.set_xscale("log")
    way.plot(torch.as_tensor(told["theta"]), told["by theta"], color=COLOURS[0], label=f"noise of sd {NOISE:g}")
    for axes in (noise, way):
        axes.axhline(math.log(2), color=COLOURS[1], linestyle="dashed", label="without noise: log 2")
        axes.set_ylim(0, 0.85)
    labelled(noise, "sd of the noise", "JSD (nats)", "noise lowers the divergence")
    labelled(way, "theta", "JSD (nats)", "and lets it fall")
