"""How far apart are two laws, if those who compare them may only use certain functions?

    d_F(P, Q) = sup over f in F of  E_P f - E_Q f  >= 0
    F all f with |f| <= 1: 2 TV      F slopes up to 1: W1      F a ball of a kernel's space: MMD
    F small networks: the neural distance, below what the larger class has      energy distance^2 = 2 int (F_P - F_Q)^2

Five pairs of laws on a line: N(0, 1) shifted by 0.5 and by 3, widened to sd 2, and combs of 4 and of 32 teeth, whose
even and odd cells of [0, 1] never meet. TV and W1 are exact, by quadrature, quantiles and running sums. Trained
critics must follow them where training can: with an output in [-1, 1], 2 TV within 0.1 on the normal pairs; with a
penalty on slopes above 1, W1 within 5 % and 0.01 (twice that in a quick run). On the fine comb 2 TV is 2, and the
neural distance of 4 tanh units with weights up to 1 and an output in [-1, 1] must stay below a tenth of it, as W1
does: a weaker distance. On no pair may a bounded network pass 2 TV by more than its own sampling error. MMD and energy
distance are estimated from 1,000 samples of each.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import Normal

from adversaria.claims.check import Trial
from adversaria.distributions import by_quantiles, line, total_variation
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.metrics import energy_test, mmd_test, neural_distance
from adversaria.nn.mlp import MLPReader

SOURCES = ("002",)
MORE = ("Sriperumbudur et al. (2012), arXiv:0901.2698", "Arora et al. (2017), arXiv:1703.00573, Definition 2")
SLIP = "002 writes d_F <= 0 among the properties of a metric; it is d_F >= 0."
GRID = line(-14.0, 14.0, 64)
NORMALS = {"shift 0.5": (0.5, 1.0), "shift 3": (3.0, 1.0), "sd 2": (0.0, 2.0)}
TEETH = {"4 teeth": 4, "32 teeth": 32}
Draw = Callable[[int], Tensor]


def normal(mean: float, sd: float, n: int) -> Tensor:
    return mean + sd * torch.randn(n, 1)


def tooth(teeth: int, side: int, n: int) -> Tensor:
    """Uniform on every second of 2 teeth cells of [0, 1]."""
    return ((2 * torch.randint(teeth, (n,)) + side + torch.rand(n)) / (2 * teeth))[:, None]


def pairs() -> dict[str, tuple[Draw, Draw, float, float]]:
    """Draws of both laws, 2 TV and W1."""
    found: dict[str, tuple[Draw, Draw, float, float]] = {}
    p, x = Normal(0.0, 1.0), GRID.points[:, 0]
    for name, (m, s) in NORMALS.items():
        q = Normal(m, s)
        tv = float(total_variation(p.log_prob(x), q.log_prob(x), GRID.weights))
        found[name] = (partial(normal, 0.0, 1.0), partial(normal, m, s), 2 * tv, by_quantiles(p.icdf, q.icdf))
    for name, k in TEETH.items():
        found[name] = (partial(tooth, k, 0), partial(tooth, k, 1), 2.0, 1 / (2 * k))
    return found


def run(bench: Bench) -> Outcome:
    rounds = bench.pick(150, 1_500)
    laws = pairs()

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {key: [] for key in ("bounded", "Lipschitz", "small", "MMD", "energy", "excess")}
        for p, q, tv, _ in laws.values():
            torch.manual_seed(trial.seed)
            how: dict[str, Any] = {"rounds": rounds, "seed": trial.seed, "n": bench.pick(20_000, 100_000)}
            large, adam = nn.Sequential(MLPReader(1, 1, 64, 2), nn.Tanh()), Adam(lr=5e-3, schedule="cosine")
            bounded = neural_distance(large, p, q, adam=adam, **how)
            found["bounded"].append(bounded.value)
            found["excess"].append((bounded.value - tv) / max(bounded.error, 1e-3))
            found["Lipschitz"].append(neural_distance(MLPReader(1, 1, 32, 2), p, q, slope=50.0, adam=adam, **how).value)
            small = nn.Sequential(MLPReader(1, 1, 4, 1, nn.Tanh), nn.Tanh())
            found["small"].append(neural_distance(small, p, q, clip=1.0, adam=Adam(lr=2e-2), **how).value)
            both: dict[str, Any] = {"real": p(1_000), "generated": q(1_000), "permutations": 19}
            found["MMD"].append(math.sqrt(max(0.0, mmd_test(**both).value)))
            found["energy"].append(max(0.0, energy_test(**both).value))
        return found

    runs = bench.each(once)
    tv, w = (np.array([law[i] for law in laws.values()]) for i in (2, 3))
    normals = slice(0, len(NORMALS))
    slack = bench.pick(2, 1) * (0.05 * w + 0.01)
    return Outcome(
        (
            below("bounded critic: largest error of 2 TV on normals",
                  [float(np.abs(np.array(run["bounded"]) - tv)[normals].max()) for run in runs], 0.1),
            below("bounded critic: excess over 2 TV", [max(run["excess"]) for run in runs], 4.0, "standard errors"),
            below("Lipschitz critic: largest error of W1, over the limit",
                  [float((np.abs(np.array(run["Lipschitz"]) - w) / slack).max()) for run in runs], 1.0),
            below("32 teeth: neural distance of 4 units over 2 TV", [run["small"][-1] / 2 for run in runs], 0.1),
            below("32 teeth: W1 over 2 TV", w[-1] / 2, 0.1),
        ),
        {"pairs": list(laws), "2 TV": tv, "W1": w, **{name: [run[name] for run in runs] for name in runs[0]}},
        "All agree that a shift by 3 is far. That combs never meet only total variation says, and only as long as a "
        "network can follow their teeth; to slopes, kernels and small networks fine combs are nearly one law.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    (axes,) = panels(figure, 1)
    figure.set_size_inches(8.4, 3.8)
    bars = {"2 TV, exact": (told["2 TV"], 6), "bounded critic": (np.median(told["bounded"], 0), 7),
            "W1, exact": (told["W1"], 0), "Lipschitz critic": (np.median(told["Lipschitz"], 0), 5),
            "neural, 4 units": (np.median(told["small"], 0), 1), "MMD": (np.median(told["MMD"], 0), 2),
            "energy distance^2": (np.median(told["energy"], 0), 4)}  # fmt: skip
    for i, (label, (values, colour)) in enumerate(bars.items()):
        axes.bar(np.arange(len(told["pairs"])) + 0.12 * (i - 3), np.maximum(np.asarray(values, dtype=float), 0), 0.11,
                 color=COLOURS[colour], label=label)  # fmt: skip
    axes.set_xticks(np.arange(len(told["pairs"])), told["pairs"])
    labelled(axes, "pair of laws", "distance (W1, energy: in x's units)", "five pairs under each class of functions")
    axes.legend(ncols=2, loc="upper right")
