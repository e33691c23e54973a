"""Does a trained discriminator become the share of the data's density in the sum of both densities?

    D*(x) = pi(x) / (pi(x) + p(x)),   the maximiser of  E_pi log D + E_p log(1 - D)

Two pairs of known densities: mixtures of Gaussians on a line, and two rings of 8 Gaussians in the plane, one of half
the radius of the other. A network is trained by the logistic loss on fresh draws of both. Its largest error against
the closed form is taken where pi + p has 99 % of its mass: the set of highest density, found by quadrature. Where
neither has mass nothing trains D, and nothing is claimed. The error must be at most 0.03; a quick run, with a tenth of
the draws, must stay below 0.06.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from adversaria.claims.check import Trial
from adversaria.data.made import modes
from adversaria.distributions import Grid, line, rectangle
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import NonSaturating

SOURCES = ("000", "003", "004")
MORE = ("Goodfellow et al. (2014), arXiv:1406.2661",)
MASS = 0.99
RING = torch.from_numpy(modes("ring8").centres).float()


def mixture(weights: list[float], centres: Tensor, sd: float) -> Distribution:
    """Equal round Gaussians (k, d)."""
    return MixtureSameFamily(Categorical(torch.tensor(weights)), Independent(Normal(centres, sd), 1))


LINE = (mixture([0.4, 0.6], torch.tensor([[-2.0], [1.0]]), 0.7), mixture([0.7, 0.3], torch.tensor([[0.0], [3.0]]), 0.9))
RINGS = (mixture([1.0] * 8, RING, 0.5), mixture([1.0] * 8, RING / 2, 0.5))
Pair = tuple[Distribution, Distribution]


def best(pair: Pair, x: Tensor) -> Tensor:
    """D*, by the closed form."""
    return torch.sigmoid(pair[0].log_prob(x) - pair[1].log_prob(x))


def most_of(pair: Pair, grid: Grid) -> Tensor:
    """Which points of a grid (n,) lie in the set of highest density of pi + p that has 99 % of the mass."""
    x = grid.points.float()
    both = (pair[0].log_prob(x).exp() + pair[1].log_prob(x).exp()) / 2
    order = both.argsort(descending=True)
    mass = (grid.weights * both)[order].cumsum(0)
    inside = torch.zeros(len(both), dtype=torch.bool)
    inside[order[mass <= MASS * mass[-1]]] = True
    return inside


def run(bench: Bench) -> Outcome:
    grids = (line(-6.0, 8.0, 24), rectangle((-4.5, 4.5), (-4.5, 4.5), panels=8))
    rounds, batch = bench.pick((400, 800), (1_500, 2_048))
    shown = torch.linspace(-5, 7, 241)[:, None]
    radii = torch.stack([torch.linspace(0, 3.5, 141), torch.zeros(141)], 1)  # a ray through a mode of either ring

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, pair, grid, path in (("line", LINE, grids[0], shown), ("rings", RINGS, grids[1], radii)):
            torch.manual_seed(trial.seed)
            D = MLPReader(grid.points.shape[1], 1, 64, 2)
            pi, p = (lambda n, law=law: law.sample((n,)) for law in pair)
            neural_distance(D, pi, p, loss=NonSaturating(), rounds=rounds, batch=batch,
                            adam=Adam(lr=2e-2, schedule="cosine"), seed=trial.seed)  # fmt: skip
            points = grid.points.float()[most_of(pair, grid)]
            with torch.no_grad():
                found[f"error, {name}"] = float((torch.sigmoid(D(points)) - best(pair, points)).abs().max())
                found[f"D, {name}"] = torch.sigmoid(D(path)).tolist()
        return found

    runs = bench.each(once)
    limit = bench.pick(0.06, 0.03)
    inside = grids[0].points[most_of(LINE, grids[0])]
    told = {"x": shown[:, 0], "radius": radii[:, 0], "within": [float(inside.min()), float(inside.max())]}
    told |= {"radius within": float(grids[1].points[most_of(RINGS, grids[1])].norm(dim=1).max())}
    told |= {"D*, line": best(LINE, shown), "D*, rings": best(RINGS, radii)}
    told |= {name: law.log_prob(shown).exp() for name, law in zip(("pi", "p"), LINE, strict=True)}
    return Outcome(
        (
            below("largest error of D where pi + p has 99 % of its mass, on the line",
                  [run["error, line"] for run in runs], limit),
            below("largest error of D where pi + p has 99 % of its mass, two rings",
                  [run["error, rings"] for run in runs], limit),
        ),
        told | {name: [run[name] for run in runs] for name in ("D, line", "D, rings")},
        "The trained discriminator lies on pi / (pi + p) wherever there are examples of either law. In the shaded "
        "margins there are hardly any, and it goes where the network happens to go on.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    on_line, rings = panels(figure, 2, sharey=True)
    x, radius = (np.asarray(told[name]) for name in ("x", "radius"))
    for name, colour, label in (("pi", 2, "density pi"), ("p", 4, "density p")):
        on_line.fill_between(x, 0, np.asarray(told[name]), color=COLOURS[colour], alpha=0.35, lw=0, label=label)
    for axes, name, at in ((on_line, "line", x), (rings, "rings", radius)):
        axes.plot(at, np.asarray(told[f"D*, {name}"]), color=COLOURS[6], lw=3, alpha=0.4, label="closed form D*")
        curve(axes, at.tolist(), told[f"D, {name}"], "trained D", COLOURS[1], linestyle="dashed")
    for low, high in ((x[0], told["within"][0]), (told["within"][1], x[-1])):
        on_line.axvspan(low, high, color="#dddddd", lw=0)
    rings.axvspan(told["radius within"], radius[-1], color="#dddddd", lw=0)
    on_line.set(xlim=(x[0], x[-1]), ylim=(-0.02, 1.45), yticks=np.arange(0, 1.1, 0.25))
    rings.set_xlim(0, 3.5)
    labelled(on_line, "x", "D, density", "mixtures on a line")
    on_line.legend(ncols=2, loc="upper center")
    labelled(rings, "distance from the centre, through a mode", "", "two rings in the plane")
