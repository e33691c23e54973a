"""Is what the discriminator reaches twice the Jensen-Shannon divergence less 2 log 2, and -2 log 2 at the equilibrium?

    V(G, D) = E_pi log D + E_p log(1 - D),   V(G, D*) = 2 JSD(pi, p) - 2 log 2,   JSD = KL(pi, m) / 2 + KL(p, m) / 2
    p = pi:   JSD = 0,   D* = 1/2,   V = -2 log 2 = -1.3863 nats            m = (pi + p) / 2

The data are a mixture of two Gaussians, the generator's law is the same mixture shifted by theta. For each theta a new
discriminator is trained, and its value taken on fresh draws; beside it stands the exact one by quadrature. They must
be within 0.02 nats of each other, where V runs over 1.39. At theta = 0 the value must be -1.3863 within 0.02, and D
within 0.03 of one half where there are draws (0.05 in a quick run).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from adversaria.claims.check import Trial
from adversaria.distributions import jensen_shannon, line
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import Minimax

SOURCES = ("000", "003", "004")
MORE = ("Goodfellow et al. (2014), arXiv:1406.2661, Theorem 1",)
SLIP = "004 leaves out the factors 1/2 in the Jensen-Shannon divergence; 2 JSD - 2 log 2 holds with them."
PI = MixtureSameFamily(Categorical(torch.tensor([0.4, 0.6])), Normal(torch.tensor([-1.5, 1.0]), 0.6))
GRID = line(-8.0, 14.0, 64)


def draw_at(theta: float, n: int) -> Tensor:
    return PI.sample((n, 1)) + theta


def exact(theta: float) -> float:
    """V(G, D*) by quadrature."""
    x = GRID.points[:, 0]
    return 2 * float(jensen_shannon(PI.log_prob(x), PI.log_prob(x - theta), GRID.weights)) - 2 * math.log(2)


def run(bench: Bench) -> Outcome:
    thetas = bench.pick([0.0, 1.5, 4.0], [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    rounds, batch, draws = bench.pick((250, 1_000, 40_000), (600, 2_048, 200_000))
    shown = torch.linspace(-4, 4, 161)[:, None]
    # 99 % of the data lie between these two.
    low, high = torch.quantile(PI.sample((100_000,)), torch.tensor([0.005, 0.995])).tolist()

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {"value": []}
        for theta in thetas:
            torch.manual_seed(trial.seed)
            D = MLPReader(1, 1, 64, 2)
            both = (lambda n: draw_at(0.0, n), lambda n, theta=theta: draw_at(theta, n))
            told = neural_distance(D, *both, loss=Minimax(), rounds=rounds, batch=batch, n=draws,
                                   adam=Adam(lr=1e-2, schedule="cosine"), seed=trial.seed)  # fmt: skip
            found["value"].append(told.value)
            with torch.no_grad():
                found[f"D at {theta:g}"] = torch.sigmoid(D(shown)).tolist()
        inside = ((shown[:, 0] > low) & (shown[:, 0] < high)).tolist()
        found["half"] = max(abs(d - 0.5) for d, seen in zip(found["D at 0"], inside, strict=True) if seen)
        return found

    runs = bench.each(once)
    truth = [exact(theta) for theta in thetas]
    off = [max(abs(v - t) for v, t in zip(run["value"], truth, strict=True)) for run in runs]
    fine = np.linspace(0, 6.5, 131)
    return Outcome(
        (
            below("largest difference of V from the value by quadrature", off, 0.02, "nats"),
            near("V at p = pi", [run["value"][0] for run in runs], -2 * math.log(2), 0.02, "nats", "-2 log 2"),
            below("largest |D - 1/2| at p = pi, on the middle 99 % of the data", [run["half"] for run in runs],
                  bench.pick(0.05, 0.03)),
        ),
        {"theta": thetas, "exact": truth, "fine": fine, "curve": [exact(float(theta)) for theta in fine],
         "x": shown[:, 0], "pi": PI.log_prob(shown[:, 0]).exp(), "value": [run["value"] for run in runs],
         **{name: [run[name] for run in runs] for name in runs[0] if name.startswith("D at")}},
        "The values of trained discriminators lie on the exact curve: from -2 log 2 where generator and data agree up "
        "to 0 where their laws no longer overlap. At agreement the best discriminator says one half everywhere.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    values, outputs = panels(figure, 2)
    fine, x = np.asarray(told["fine"]), np.asarray(told["x"])
    values.plot(fine, np.asarray(told["curve"]), color=COLOURS[0], label="2 JSD - 2 log 2, by quadrature")
    curve(values, told["theta"], told["value"], "V of a trained D", COLOURS[1], marker="o", linestyle="none")
    for level, label, place in ((0, "apart: 0", "bottom"), (-2 * math.log(2), "p = pi: -2 log 2", "top")):
        values.axhline(level, color=COLOURS[7], lw=0.8, linestyle="dotted")
        values.text(6.5, level, label, ha="right", va=place, fontsize=8, color="#555555")
    values.set_ylim(-1.6, 0.15)
    labelled(values, "shift theta of the generator's law", "V(G, D) (nats)")
    values.legend(loc=(0.3, 0.2))
    outputs.fill_between(x, 0, np.asarray(told["pi"]), color=COLOURS[2], alpha=0.3, lw=0, label="density pi")
    for theta, colour in ((0.0, 1), (1.5, 0), (4.0, 3)):
        curve(outputs, x.tolist(), told[f"D at {theta:g}"], f"D, theta = {theta:g}", COLOURS[colour])
    outputs.set(ylim=(-0.02, 1.6), yticks=[0, 0.25, 0.5, 0.75, 1])
    labelled(outputs, "x", "D(x), density")
    outputs.legend(ncols=2, loc="upper center")
