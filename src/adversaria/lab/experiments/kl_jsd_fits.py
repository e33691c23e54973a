"""Which normal law is nearest to a mixture of two: one that covers both modes, or one that sits on one of them?

    forward   min_q KL(p, q) = E_p log p / q     q must have mass wherever p has: the moments of p are the best
    reverse   min_q KL(q, p) = E_q log q / p     q must have none where p has none: one mode
    between   min_q JSD(p, q) = KL(p, m) / 2 + KL(q, m) / 2,   m = (p + q) / 2

Each divergence is an integral by quadrature, and descended in mean and log standard deviation from three starts, of
which the lowest end counts. Nothing is drawn at random. The forward fit must have the mixture's own mean and standard
deviation within 0.001. The reverse fit must be a mode: its mean within a tenth of the mode's standard deviation, its
own within a tenth of it. The width of the Jensen-Shannon fit must lie between, by 1 % at least on either side.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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
MORE = ("Theis, van den Oord and Bethge (2016), arXiv:1511.01844, Section 2 and Figure 1",)
SHARES, CENTRES, SDS = (torch.tensor(row).double() for row in ([0.6, 0.4], [-1.6, 1.8], [0.6, 0.8]))
P = MixtureSameFamily(Categorical(SHARES), Normal(CENTRES, SDS))
GRID = line(-9.0, 9.0, 48)
X = GRID.points[:, 0]
LOG_P = P.log_prob(X)
DIVERGENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "forward KL": lambda log_q: kl(LOG_P, log_q, GRID.weights),
    "JSD": lambda log_q: jensen_shannon(LOG_P, log_q, GRID.weights),
    "reverse KL": lambda log_q: kl(log_q, LOG_P, GRID.weights),
}
STARTS = ((-1.6, 0.6), (0.0, 2.0), (1.8, 0.8))


def fit(divergence: Callable[[Tensor], Tensor], start: tuple[float, float], rounds: int) -> tuple[float, float, float]:
    """The divergence where the descent ends, and mean and standard deviation there."""
    q = nn.ParameterList([nn.Parameter(torch.tensor(v).double()) for v in (start[0], math.log(start[1]))])

    def objective(_: Batch) -> Terms:
        return {"divergence": divergence(Normal(q[0], q[1].exp()).log_prob(X))}

    player = Player("q", (q,), objective, Adam(lr=0.05, schedule="cosine"))
    for _ in play(Stage((player,)), [torch.zeros(1, 1)], rounds=rounds):
        pass
    with torch.no_grad():
        return float(objective(Batch(X))["divergence"]), float(q[0]), float(q[1].exp())


def run(bench: Bench) -> Outcome:
    rounds = bench.pick(200, 1_000)
    fits = {name: min(fit(d, start, rounds) for start in STARTS) for name, d in DIVERGENCES.items()}
    mean = float(P.mean)
    sd = float(P.variance) ** 0.5
    _, m, s = fits["reverse KL"]
    mode = int((CENTRES - m).abs().argmin())
    centre, width = float(CENTRES[mode]), float(SDS[mode])
    # Along the mean, with the best of many widths: how many valleys a divergence has.
    means, widths = torch.linspace(-3, 3.5, 66).double(), torch.linspace(0.35, 3, 40).double()
    valley = {name: [min(float(d(Normal(at, w).log_prob(X))) for w in widths) for at in means]
              for name, d in DIVERGENCES.items()}  # fmt: skip
    return Outcome(
        (
            below("forward KL: largest difference of mean and sd from the mixture's moments",
                  max(abs(fits["forward KL"][1] - mean), abs(fits["forward KL"][2] - sd)), 1e-3),
            below("reverse KL: distance of its mean from the nearest mode", abs(m - centre) / width, 0.1,
                  "sd of the mode"),
            below("reverse KL: relative difference of its sd from the mode's", abs(s / width - 1), 0.1),
            above("sd of the JSD's fit over the reverse KL's", fits["JSD"][2] / s, 1.01),
            below("sd of the JSD's fit over the forward KL's", fits["JSD"][2] / fits["forward KL"][2], 0.99),
        ),
        {"x": X, "p": LOG_P.exp(), "mean": means, "fits": {name: list(found) for name, found in fits.items()},
         "valley": valley},
        "The forward KL's normal covers both modes and has most of its mass between them, where the mixture has least. "
        "The reverse KL's sits on the heavier mode; the other one is a second valley. The JSD's lies between.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    laws, valleys = panels(figure, 2)
    x = torch.as_tensor(told["x"])
    laws.fill_between(x, 0, torch.as_tensor(told["p"]), color=COLOURS[7], alpha=0.35, lw=0, label="mixture p")
    for (name, (_, mean, sd)), colour in zip(told["fits"].items(), (COLOURS[0], COLOURS[2], COLOURS[1]), strict=True):
        laws.plot(x, Normal(mean, sd).log_prob(x).exp(), color=colour, label=f"q by {name}")
        valleys.plot(np.asarray(told["mean"]), np.asarray(told["valley"][name]), color=colour, label=name)
        valleys.plot(mean, told["fits"][name][0], "o", color=colour)
    laws.set(xlim=(-5, 5), ylim=(0, 0.62))
    labelled(laws, "x", "density", "the nearest normal by each divergence")
    valleys.set_ylim(0, 1.75)
    labelled(valleys, "mean of q, its sd the best", "divergence (nats)", "dots: where the descent ends")
