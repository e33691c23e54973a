"""Does the loss say how good the samples are?

    Wasserstein   E f(x) - E f(G(z))                             about W1(data, samples), for a critic of slope 1
    vanilla       log 2 + (E log D(x) + E log(1 - D(G(z)))) / 2  at best the Jensen-Shannon divergence

A WGAN-GP and a DCGAN are trained on the images. At moments spread over training, after the first tenth, both players'
estimate of the distance on held-out images and fresh samples stands beside the samples' energy distance to the same
images, which no player sees. The rank correlation over these moments must be 0.5 or more for the Wasserstein estimate
(beyond chance for 16 moments, p = 0.05), and greater than the vanilla estimate's by 0.3 or more.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.objectives.losses import NonSaturating, Wasserstein

SOURCES = ("001", "004")
MORE = (
    "Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, Section 4.2 and Figures 3 and 4",
    "Gulrajani et al. (2017), arXiv:1704.00028, Section 5.2 and Figure 5",
)
LOOKS = 16


def run(bench: Bench) -> Outcome:
    recipes = {
        "wasserstein": make(
            "wgan-gp",
            width=16,
            batch=bench.pick(32, 64),
            rounds=bench.pick(110, 1_000),
            adam={"lr": bench.pick(3e-3, 5e-4)},
        ),
        "vanilla": make("dcgan", width=16, rounds=bench.pick(240, 3_000), adam={"lr": bench.pick(2e-3, 5e-4)}),
    }

    def once(trial: Trial) -> dict[str, list[tuple[float, float, float]]]:
        x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
        found: dict[str, list[tuple[float, float, float]]] = {}
        for name, recipe in recipes.items():
            seen: list[tuple[float, float, float]] = []

            def watch(game: Game, record: Round, name: str = name, rounds: int = recipe.rounds,
                      seen: list[tuple[float, float, float]] = seen) -> None:  # fmt: skip
                every = 9 * rounds // (10 * LOOKS)
                if record.number > rounds // 10 and (rounds - record.number) % every == 0:
                    with torch.no_grad():
                        y, D = game.abilities["sample"](len(x)), game.abilities["score"]
                        loss = (Wasserstein() if name == "wasserstein" else NonSaturating()).discriminator(D(x), D(y))
                    value = -float(torch.stack(list(loss.values())).sum())
                    told = value if name == "wasserstein" else math.log(2) + value / 2
                    seen.append((record.number, told, energy_distance(x, y)))

            trial.play(recipe, watch=watch)
            found[name] = seen
        return found

    runs = bench.each(once)
    ranks = {name: [float(spearmanr(*np.array(run[name]).T[1:]).statistic) for run in runs] for name in recipes}
    return Outcome(
        (
            above("rank correlation of the Wasserstein estimate and the energy distance", ranks["wasserstein"], 0.5),
            above("the same, less that of the vanilla estimate",
                  [a - b for a, b in zip(ranks["wasserstein"], ranks["vanilla"], strict=True)], 0.3),
        ),
        {name: [run[name] for run in runs] for name in recipes} | {"rank correlations": ranks},
        "The Wasserstein estimate comes down together with the samples' distance. The vanilla one does less so.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    titles = {"wasserstein": "WGAN-GP", "vanilla": "DCGAN"}
    for axes, (name, title) in zip(panels(figure, 2), titles.items(), strict=True):
        number, estimate, distance = np.array(told[name][0]).T
        other = axes.twinx()
        axes.plot(number, estimate, "o-", color=COLOURS[0], markersize=3)
        other.plot(number, distance, "s--", color=COLOURS[1], markersize=3)
        other.grid(False)
        other.set_ylabel("energy distance of samples (squares)", color=COLOURS[1])
        unit = "critic's estimate (dots)" if name == "wasserstein" else "discriminator's JSD, nats (dots)"
        rank = np.median(told["rank correlations"][name])
        labelled(axes, "round", unit, f"{title}: rank correlation {rank:.2f}")
        axes.yaxis.label.set_color(COLOURS[0])
