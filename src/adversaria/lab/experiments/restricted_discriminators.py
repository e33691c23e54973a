"""Is a discriminator no larger than it need be, but made for its generators, as good as all functions of slope 1?

    G(z) = B s(A z + a) + b,   z ~ N(0, I) in the plane,   s leaky ReLU, A and B invertible
    c W1(P, Q)^gamma <= d_F(P, Q) <= W1(P, Q)     for F made for the class of G

Random pairs of such generators are drawn; in every second pair both means are made equal. F are networks of one hidden
layer with the same nonlinearity as the generators, under a penalty on slopes above 1. W1 is that of 400 draws each,
exact by assignment. Over the pairs, the rank correlation of d_F and W1 must be at least 0.9 (quick: 0.8). Linear
functions of slope 1 have no such power: their distance is the distance of the means, in closed form, and its rank
correlation with W1 must be lower by 0.1 or more. d_F must not pass W1 by more than 15 %.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor, nn

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.metrics import neural_distance, wasserstein
from adversaria.nn.mlp import MLP, MLPReader

SOURCES = ("002",)
MORE = ("Bai, Ma and Risteski (2019), arXiv:1806.10586",)


def run(bench: Bench) -> Outcome:
    pairs, rounds, n = bench.pick(10, 24), bench.pick(120, 800), 400

    def once(trial: Trial) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"W1": [], "network": [], "means": []}
        for i in range(pairs):
            torch.manual_seed(1_000 * trial.seed + i)
            G, H = generator(), generator()
            shift = mean(G) - mean(H) if i % 2 else torch.zeros(2)

            def real(m: int, G: nn.Module = G) -> Tensor:
                return drawn(G, m)

            def fake(m: int, H: nn.Module = H, shift: Tensor = shift) -> Tensor:
                return drawn(H, m) + shift

            f = MLPReader(2, 1, 32, 1, leaky)
            adam = Adam(lr=bench.pick(1e-2, 5e-3), betas=(0.0, 0.9), schedule="linear")
            value = neural_distance(f, real, fake, slope=20, rounds=rounds, batch=256, adam=adam, seed=trial.seed).value
            found["network"].append(value)
            found["W1"].append(wasserstein(real=real(n), generated=fake(n), p=1).value)
            found["means"].append(float((mean(G) - mean(H) - shift).norm()))
        return found

    runs = bench.each(once)
    ranks = {name: [float(spearmanr(run[name], run["W1"]).statistic) for run in runs] for name in ("network", "means")}
    over = [float(np.max(np.array(run["network"]) / run["W1"])) for run in runs]
    return Outcome(
        (
            above("rank correlation of d_F and W1, networks", ranks["network"], bench.pick(0.8, 0.9)),
            above("the same, less that of linear functions",
                  [a - b for a, b in zip(ranks["network"], ranks["means"], strict=True)], 0.1),
            below("d_F over W1, most", over, 1.15),
        ),
        {name: [run[name] for run in runs] for name in runs[0]},
        "Each dot is a pair of generators. What the matched networks find goes with W1; linear functions see only that "
        "the means differ.",
    )  # fmt: skip


def leaky() -> nn.Module:
    """The generators' and the critics' nonlinearity."""
    return nn.LeakyReLU(0.3)


def generator() -> MLP:
    """A random invertible network of the plane."""
    G = MLP(2, 2, 2, 1, leaky)
    for layer in G.modules():
        if isinstance(layer, nn.Linear):
            turn = torch.linalg.qr(torch.randn(2, 2)).Q
            layer.weight.data = turn * (0.4 + 1.2 * torch.rand(2))
            layer.bias.data = 0.7 * torch.randn(2)
    return G


@torch.no_grad()
def drawn(G: nn.Module, m: int) -> Tensor:
    """Samples (m, 2)."""
    y: Tensor = G(torch.randn(m, 2))
    return y


def mean(G: nn.Module) -> Tensor:
    """The mean of 100,000 samples."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return drawn(G, 100_000).mean(0)


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    left, right = panels(figure, 2, sharex=True, sharey=True)
    for axes, name, colour, title in ((left, "network", 0, "networks made for the generators"),
                                      (right, "means", 1, "linear functions of slope 1")):  # fmt: skip
        axes.plot(np.ravel(told["W1"]), np.ravel(told[name]), "o", markersize=4, color=COLOURS[colour])
        top = float(np.max(told["W1"]))
        axes.plot([0, top], [0, top], color=COLOURS[7], linestyle="dashed", label="d_F = W1")
        labelled(axes, "W1 of 400 draws, exact (length)", "d_F (length)", title)
    right.set_ylabel("")
