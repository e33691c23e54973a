"""Does a generator that foresees its discriminator's next steps keep the modes that a plain GAN loses?

    theta_{j+1} = theta_j + eta grad V(theta_j),   j = 0 ... k - 1      the discriminator, k steps ahead
    min_G  V(theta_k(theta_D, theta_G), theta_G)                        k = 0 is the plain GAN

Eight Gaussians on a ring, the paper's two layers of 128 units (quick: 64) and rates of 1e-3 for the generator and 1e-4
for the discriminator, with k = 0, 1, 5 and 10. How samples spread over the modes is told by the KL divergence of their
shares from equal ones: log 8 - log n for n modes. The plain GAN must have collapsed, to 1 nat or more (fewer than 3
modes' worth) on the mean over the second half of training, and must rotate: its samples' centre must move by more than
half of the ring's radius between two looks, on the mean. With k = 5 and 10 the divergence must be below 0.2 at the end.
In the full run they must also have 7 modes or more in force: a tenth of their even share within 0.3 of the centre, a
fifth of the way to the next.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import coverage
from adversaria.data.made import modes
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, curve, labelled

SOURCES = ("000", "003", "002")
MORE = ("Metz et al. (2017), arXiv:1611.02163, Figure 2 and Appendix A",)
LOOKS, SHOWN = 20, 5


def run(bench: Bench) -> Outcome:
    unrolled = bench.pick([0, 5], [0, 1, 5, 10])
    rounds = bench.pick(160, 1_500)

    def once(trial: Trial) -> dict[int, dict[str, Any]]:
        found = {}
        for k in unrolled:
            at: dict[str, Any] = {"modes": [], "KL": [], "centre": [], "points": []}

            def watch(game: Game, record: Round, at: dict[str, Any] = at) -> None:
                if record.number % (rounds // LOOKS) == 0:
                    y = game.sample(2_000, seed=0)
                    told = coverage(y, "ring8", sd=0.1)
                    at["modes"].append(told["modes in force"])
                    at["KL"].append(told["KL"])
                    at["centre"].append(y.mean(0))
                    at["points"].append(y[:400])

            trial.play(make(
                "unrolled-gan", unroll=k, hidden=bench.pick(64, 128), latent=bench.pick(64, 256),
                batch=bench.pick(64, 128), rounds=rounds, average=0.0,
                generator={"schedule": "constant"}, discriminator={"lr": 1e-4, "schedule": "constant"},
            ), watch=watch)  # fmt: skip
            found[k] = at
        return found

    runs = bench.each(once, "ring8")
    plain = [run[0] for run in runs]
    late = [float(np.mean(at["KL"][LOOKS // 2 :])) for at in plain]
    centres = [torch.stack(at["centre"])[LOOKS // 2 :] for at in plain]
    turned = [float((path[1:] - path[:-1]).norm(dim=1).mean()) for path in centres]
    cured = []
    for k in unrolled[-2:] if len(unrolled) > 2 else unrolled[-1:]:
        cured.append(
            below(f"KL from equal shares at the end, k = {k}", [run[k]["KL"][-1] for run in runs], 0.2, "nats")
        )
        if not bench.quick:
            cured.append(above(f"modes in force at the end, k = {k}", [run[k]["modes"][-1] for run in runs], 7.0))
    return Outcome(
        (
            above("KL from equal shares, k = 0, mean over the second half", late, 1.0, "nats"),
            above("way of the samples' centre between two looks, k = 0", turned, 1.0),
            *cured,
        ),
        {
            "k": unrolled, "round": [rounds // LOOKS * (i + 1) for i in range(LOOKS)],
            **{name: {k: [run[k][name] for run in runs] for k in unrolled} for name in ("modes", "KL")},
            "points": {k: torch.stack(runs[0][k]["points"])[LOOKS // SHOWN - 1 :: LOOKS // SHOWN] for k in unrolled},
        },
        "The plain GAN's samples sit in one place at a time and hop about. With k = 5 or more they spread evenly; "
        + bench.pick("that they lie on the modes takes the full budget's rounds.", "most lie on the modes at the end."),
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    rows = len(told["k"])
    figure.set_size_inches(SIZE[0], 2.6 + 1.4 * rows)
    grid = figure.add_gridspec(1 + rows, 2 * SHOWN, height_ratios=[2.6] + [1.4] * rows)
    names = {"modes": "modes in force (of 8)", "KL": "KL from equal shares (nats)"}
    for place, (name, y) in zip((slice(None, SHOWN), slice(SHOWN, None)), names.items(), strict=True):
        axes = figure.add_subplot(grid[0, place])
        for i, k in enumerate(told["k"]):
            curve(axes, told["round"], told[name][k], f"k = {k}", COLOURS[i])
        labelled(axes, "round", y, legend=name == "KL")
        axes.set_ylim((-0.3, 8.5) if name == "modes" else (-0.1, 2.9))
    centres = modes("ring8").centres
    for i, k in enumerate(told["k"]):
        for j in range(SHOWN):
            axes = figure.add_subplot(grid[1 + i, 2 * j : 2 * j + 2])
            points, box = np.asarray(told["points"][k][j]), (-4, 4, -4, 4)
            axes.hexbin(*points.T, gridsize=24, extent=box, cmap="Blues", bins="log", mincnt=1)
            axes.plot(*centres.T, ".", color=COLOURS[1], markersize=2)
            axes.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xticks=[], yticks=[])
            if i == 0:
                axes.set_title(f"round {told['round'][(j + 1) * LOOKS // SHOWN - 1]}")
            if j == 0:
                axes.set_ylabel(f"k = {k}")
