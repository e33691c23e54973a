"""Does a VAE with an IAF posterior have a better bound and a better likelihood than a factorised one?

    bound        E_q log p(x, z) / q(z | x)                            q factorised, or bent by four IAF steps
    likelihood   log 1/K sum_k p(x, z_k) / q(z_k | x),  K = 128        at least the bound, in expectation

Both posteriors have the same encoder and decoder, seed and rounds, on black and white images that are drawn anew in
training from the grey levels; test images' bits are drawn once. Bound and likelihood must both cost less with the flow:
the difference of means over the same test images below 0 (below 0.5 in a quick run, whose rounds are too few to tell).
In the paper, on MNIST with other networks: likelihoods of 81.08 and 79.10 nats; digits' values aren't comparable.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.held import cost, trained
from adversaria.data import load
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("001",)
MORE = ("Kingma et al. (2016), arXiv:1606.04934, Table 1", "Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519")
POSTERIORS = {"factorised": 0, "IAF, four steps": 4}


def run(bench: Bench) -> Outcome:
    data = load(bench.source, binarise="dynamic")

    def once(trial: Trial) -> dict[str, list[float]]:
        recipes = [
            make("vae-iaf", "small", steps=steps, rounds=bench.pick(150, 3_000)) for steps in POSTERIORS.values()
        ]
        costs = [cost(trained(trial, recipe, data)[0], data, bench.pick(100, 1_000)) for recipe in recipes]
        return {"bound": [c.details["bound_nats"] for c in costs], "likelihood": [c.value for c in costs],
                "error": [c.error for c in costs]}  # fmt: skip

    runs = bench.each(once)
    least = bench.pick(0.5, 0.0)
    return Outcome(
        (
            below("bound with IAF, less factorised", [r["bound"][1] - r["bound"][0] for r in runs], least, "nats"),
            below("likelihood's cost with IAF, less factorised",
                  [r["likelihood"][1] - r["likelihood"][0] for r in runs], least, "nats"),
            above("least of bound less likelihood's cost",
                  [min(b - v for b, v in zip(r["bound"], r["likelihood"], strict=True)) for r in runs], 0.0, "nats"),
        ),
        {name: [run[name] for run in runs] for name in ("bound", "likelihood", "error")} | {"data": data.name},
        "Lower is better. The bound lies above the importance weighted estimate, less so under the richer posterior.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    (axes,) = panels(figure, 1)
    for i, (name, label) in enumerate((("bound", "bound"), ("likelihood", "importance weighted, K = 128"))):
        values = np.array(told[name])
        for k in range(len(POSTERIORS)):
            y = values[:, k]
            axes.errorbar(np.full(len(y), k + 0.2 * i - 0.1) + np.linspace(-0.03, 0.03, len(y)), y,
                          1.96 * np.array(told["error"])[:, k], fmt="o", color=COLOURS[i], capsize=2,
                          label=f"{label}, 95 % over test images" if k == 0 else None)  # fmt: skip
    axes.set(xticks=range(len(POSTERIORS)), xticklabels=list(POSTERIORS), xlim=(-0.5, 1.5))
    axes.margins(y=0.35)
    labelled(axes, "posterior; a point a seed", "cost of test images (nats)", told["data"], legend=False)
    axes.legend(loc="upper center", ncols=2)
