"""Does a longer chain of planar maps fit a density in the plane better?

    z_K = f_K(.. f_1(z_0)),   z_0 ~ N(0, I),   f(z) = z + u tanh(w^T z + b)
    log q(z_K) = log N(z_0; 0, I) - sum_k log |det df_k / dz|,   p(z) = exp(-U(z)) / Z
    min  E_q [log q(z_K) + w_t U(z_K)],   w_t rises to 1;   KL(q || p) = E_q [log q + U] + log Z

The four energies U of the paper's Table 1; the last three are strips without end, and are closed here by a soft wall
beyond |z_1| = 4. Z is had by quadrature, so that KL(q || p) is known up to the error of 50,000 draws, and must not be
below 0 by more than 0.02. It must fall with every lengthening of the chain, from 2 to 8 to 32 maps, and 32 maps must
have half of the KL of 2 at most (quick: 8 maps 0.9 of it, on two of the energies).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.claims.check import Trial
from adversaria.data import Batch
from adversaria.distributions import log_normal, rectangle
from adversaria.distributions.energies import energy
from adversaria.game import Adam, Player, Stage, Terms, play
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, curve, labelled
from adversaria.nn.flows import Composite, Planar
from adversaria.nn.warm import Warm

SOURCES = ("001",)
MORE = ("Rezende and Mohamed (2015), arXiv:1505.05770, Table 1 and Figure 3",)
REACH = 4.5


def fitted(i: int, K: int, rounds: int) -> Composite:
    """A chain of K maps for energy i."""
    flow, w = Composite(Planar(2) for _ in range(K)), Warm(rounds // 2)

    def objective(batch: Batch) -> Terms:
        z, log_det = flow(batch.x)
        return {"log q": (log_normal(batch.x) - log_det).mean(), "energy": w() * energy(i, z).mean()}

    def noise() -> Iterator[Tensor]:
        while True:
            yield torch.randn(200, 2)

    adam = Adam(lr=2e-2, clip=10.0, schedule="cosine")
    for _ in play(Stage((Player("flow", (flow,), objective, adam, after=w.count),)), noise(), rounds=rounds):
        pass
    return flow


def run(bench: Bench) -> Outcome:
    energies, lengths, rounds = bench.pick(([1, 4], [2, 8], 350), ([1, 2, 3, 4], [2, 8, 32], 1_000))
    grid = rectangle((-9.0, 9.0), (-9.0, 9.0), panels=40)
    log_Z = {i: float((grid.weights.log() - energy(i, grid.points)).logsumexp(0)) for i in energies}

    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        found: dict[str, Any] = {"KL": [], "z": []}
        for i in energies:
            z_0, kls, drawn = torch.randn(50_000, 2), [], []
            for K in lengths:
                flow = fitted(i, K, rounds)
                with torch.no_grad():
                    z, log_det = flow(z_0)
                    kls.append(float((log_normal(z_0) - log_det + energy(i, z)).double().mean()) + log_Z[i])
                drawn.append(np.histogramdd(z.numpy(), bins=60, range=[(-REACH, REACH)] * 2)[0])
            found["KL"].append(kls)
            found["z"].append(drawn)
        return found

    runs = bench.each(once)
    kl = np.array([found["KL"] for found in runs])  # (seeds, energies, lengths)
    side = torch.linspace(-REACH, REACH, 60)
    square = torch.cartesian_prod(side, side)
    return Outcome(
        (
            above("least KL", list(kl.min((1, 2))), -0.02, "nats"),
            below("largest ratio of the KL to that of the chain before, all energies",
                  list((kl[:, :, 1:] / kl[:, :, :-1]).max((1, 2))), 1.0),
            *(below(f"KL of {lengths[-1]} maps over that of {lengths[0]}, energy {i}",
                    list(kl[:, k, -1] / kl[:, k, 0]), bench.pick(0.9, 0.5)) for k, i in enumerate(energies)),
        ),
        {"energies": energies, "maps": lengths, "KL": kl, "z": runs[0]["z"],
         "p": [torch.exp(-energy(i, square)).view(60, 60) for i in energies]},
        "From left to right, the energy's density and what chains of more and more maps make of a normal one. With few "
        "maps modes are missed or joined by bridges; the KL falls with every lengthening.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    rows, columns = len(told["energies"]), len(told["maps"]) + 1
    figure.set_size_inches(SIZE[0], 1.35 * rows + 0.5)
    parts: Any = figure.subfigures(1, 2, width_ratios=(1.3 * columns, 8.2 - 1.3 * columns))
    left, right = parts
    for k, row in enumerate(np.atleast_2d(left.subplots(rows, columns))):
        for axes, picture in zip(row, [told["p"][k], *told["z"][k]], strict=True):
            axes.imshow(np.asarray(picture).T, origin="lower")
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
        row[0].set_ylabel(f"energy {told['energies'][k]}")
        for axes, name in zip(row, ["density", *(f"{K} maps" for K in told["maps"])], strict=True):
            axes.set_title(name if k == 0 else "")
    axes = right.subplots()
    for k, i in enumerate(told["energies"]):
        curve(axes, told["maps"], np.asarray(told["KL"])[:, k], f"energy {i}", COLOURS[k], marker="o")
    axes.set(xscale="log", ylim=(0, None), xticks=told["maps"], xticklabels=told["maps"])
    axes.minorticks_off()
    labelled(axes, "planar maps K", "KL(q || p) (nats)")
