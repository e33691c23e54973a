"""Which normal law is nearest to a mixture of two: one that covers both modes, or one that sits on one of them?

    forward   min_q KL(p, q) = E_p log p / q     q must have mass wherever p has: the moments of p are the best
    reverse   min_q KL(q, p) = E_q log q / p     q must have none where p has none: one mode
    between   min_q JSD(p, q) = KL(p, m) / 2 + KL(q, m) / 2,   m = (p + q) / 2

Each divergence is an integral by quadrature, and descended in mean and log standard deviation from a start on the
heavier mode and a wide one, of which the lower end counts. Nothing is drawn at random. The modes are moved apart, to
8. The forward fit must have the mixture's own mean and standard deviation within 0.001 at every distance. At 5, where
no mode reaches the other, the reverse fit must be a mode: its mean within a tenth of the mode's standard deviation,
its own within a tenth of it. At every distance the width of the Jensen-Shannon fit must lie between those of the other
two, up to the descent's 0.1 %; and as the modes part, the reverse fit must withdraw to one mode before the
Jensen-Shannon fit does, while the forward fit never does.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from adversaria.data import Batch
from adversaria.distributions import jensen_shannon, kl, line
from adversaria.game import Adam, Player, Stage, Terms, play
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("000", "003")
MORE = ("Theis, van den Oord and Bethge (2016), arXiv:1511.01844",)
SHARES, SDS = torch.tensor([0.6, 0.4]).double(), torch.tensor([0.6, 0.8]).double()
GRID = line(-24.0, 24.0, 64)
X = GRID.points[:, 0]
FAR = 5.0
Divergence = Callable[[Tensor, Tensor], Tensor]
DIVERGENCES: dict[str, Divergence] = {
    "forward KL": lambda log_p, log_q: kl(log_p, log_q, GRID.weights),
    "JSD": lambda log_p, log_q: jensen_shannon(log_p, log_q, GRID.weights),
    "reverse KL": lambda log_p, log_q: kl(log_q, log_p, GRID.weights),
}


def mixture(distance: float) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(SHARES), Normal(torch.tensor([-0.5, 0.5]).double() * distance, SDS))


def fit(divergence: Divergence, log_p: Tensor, start: tuple[float, float], rounds: int) -> tuple[float, float, float]:
    """The divergence where the descent ends, and mean and standard deviation there."""
    q = nn.ParameterList([nn.Parameter(torch.tensor(v).double()) for v in (start[0], math.log(start[1]))])

    def objective(_: Batch) -> Terms:
        return {"divergence": divergence(log_p, Normal(q[0], q[1].exp()).log_prob(X))}

    player = Player("q", (q,), objective, Adam(lr=0.1, schedule="cosine"))
    for _ in play(Stage((player,)), [torch.zeros(1, 1)], rounds=rounds):
        pass
    with torch.no_grad():
        return float(objective(Batch(X))["divergence"]), float(q[0]), float(q[1].exp())


def run(bench: Bench) -> Outcome:
    rounds = bench.pick(120, 400)
    distances = bench.pick([2.0, 3.5, 4.5, FAR], [0.5 * k for k in range(17)])
    fits: dict[str, list[tuple[float, float, float]]] = {name: [] for name in DIVERGENCES}
    for apart in distances:
        log_p = mixture(apart).log_prob(X)
        for name, divergence in DIVERGENCES.items():
            starts = ((-apart / 2, 0.6), (0.0, 0.5 + apart / 2))
            fits[name].append(min(fit(divergence, log_p, start, rounds) for start in starts))
    at = distances.index(FAR)
    laws = [mixture(apart) for apart in distances]
    off = [max(abs(m - float(p.mean)), abs(s - float(p.variance) ** 0.5))
           for p, (_, m, s) in zip(laws, fits["forward KL"], strict=True)]  # fmt: skip
    _, mean, sd = fits["reverse KL"][at]
    widths = {name: torch.tensor([s for _, _, s in found]) for name, found in fits.items()}
    # On one mode: less wide than twice the mode, which a cover of both is not once they are apart.
    one = {name: [d for d, (_, _, s) in zip(distances, found, strict=True) if d > 2 and s < 2 * float(SDS[0])]
           for name, found in fits.items()}  # fmt: skip
    first = {name: min(found, default=math.inf) for name, found in one.items()}
    return Outcome(
        (
            below("forward KL: largest difference of mean and sd from the mixture's moments", max(off), 1e-3),
            below("reverse KL: distance of its mean from the mode", abs(mean + FAR / 2) / float(SDS[0]), 0.1, "sd"),
            below("reverse KL: relative difference of its sd from the mode's", abs(sd / float(SDS[0]) - 1), 0.1),
            above("least sd of the JSD's fit over the reverse KL's",
                  float((widths["JSD"] / widths["reverse KL"]).min()), 0.999),
            below("largest sd of the JSD's fit over the forward KL's",
                  float((widths["JSD"] / widths["forward KL"]).max()), 1.001),
            above("distances from the reverse KL's withdrawal to the JSD's", first["JSD"] - first["reverse KL"], 0.1),
            below("distances at which the forward KL's fit sits on one mode", len(one["forward KL"]), 0),
        ),
        {"x": X, "p": laws[at].log_prob(X).exp(), "distance": distances,
         "fits": {name: [list(f) for f in found] for name, found in fits.items()}, "at": at},
        "With the modes apart, the forward KL's normal covers both and has most of its mass between them, where the "
        "mixture has none; the reverse KL's sits on the heavier mode. The Jensen-Shannon fit goes with the one while "
        "the modes are near, and with the other once they are far.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    laws, widths = panels(figure, 2)
    x, at = torch.as_tensor(told["x"]), told["at"]
    laws.fill_between(x, 0, torch.as_tensor(told["p"]), color=COLOURS[7], alpha=0.35, lw=0, label="mixture p")
    looks = ((COLOURS[0], "-", "o"), (COLOURS[2], "--", "s"), (COLOURS[1], "-", "^"))
    for (name, found), (colour, dashes, mark) in zip(told["fits"].items(), looks, strict=True):
        density = Normal(found[at][1], found[at][2]).log_prob(x).exp()
        laws.plot(x, density, color=colour, linestyle=dashes, label=f"q by {name}", zorder=3 if name == "JSD" else 2)
        widths.plot(told["distance"], [sd for _, _, sd in found], color=colour, linestyle=dashes, marker=mark, ms=4,
                    label=name)  # fmt: skip
    laws.set(xlim=(-8, 8), ylim=(0, 0.78))
    labelled(laws, "x", "density", f"the nearest normals, modes {told['distance'][at]:g} apart")
    labelled(widths, "distance of the modes", "standard deviation of q", "covering both, or sitting on one")
