"""Can the posteriors of four points tile the prior, if they are factorised, and if they are flexible?

    log p(x) - ELBO(x) = KL(q(z | x) || p(z | x)) >= 0
    factorised   q = N(mu(x), diag sigma(x)^2)                     IAF   z = f(mu + sigma eps; x), density by Jacobian
    implicit     z = z(x, eps), q without a density, by AVB: an adversary estimates log q(z | x) - log p(z)

Four points, e_1 to e_4, and a latent plane; three models with the same decoder, data and rounds. A perfect model cuts
the prior's plane into four tiles: log p(x) = -log 4, and q(z | x) is the prior on its tile. Normal blobs overlap or
leave gaps. log p(x) is had exactly, by quadrature over the plane; bounds from draws, with entropies estimated by
nearest neighbours for all alike. Both flexible models must have a bound above the factorised one's by 0.05 nats and a
likelihood above by 0.1, a fifth and a half of the differences in AVB's Table 1, and fewer codes nearest to another
point's, by 0.05. No bound may be above its likelihood, but for 0.05 nats of the estimate's error. The quick budget, a
tenth of the rounds on a smaller network, asks that none is worse by more than 0.03.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.avb import FOUR, SHARED, measured
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, labelled

SOURCES = ("001", "003")
MORE = ("Mescheder, Nowozin and Geiger (2017), arXiv:1701.04722, Section 6.1", "Kingma et al. (2016), arXiv:1606.04934")
NAMES = {"vae": "factorised", "vae-iaf": "IAF", "avb": "implicit (AVB)"}
SHOWN = 1_200
"""Codes of each point that are drawn."""


def run(bench: Bench) -> Outcome:
    quick: dict[str, Any] = {"hidden": 64, "rounds": 300, "moments": 64, "adversary": {"lr": 4e-3},
                             "model": {"lr": 4e-3, "schedule": "linear", "hold": 0.5}}  # fmt: skip
    implicit = make("avb", "four-points", **bench.pick(quick, {}))
    shared = {name: value for name, value in implicit.fields().items() if name in SHARED}
    shared["adam"] = {"lr": bench.pick(4e-3, 1e-3), "schedule": "constant"}
    recipes = {"vae": make("vae", **shared), "vae-iaf": make("vae-iaf", **shared, steps=6, flow_hidden=64),
               "avb": implicit}  # fmt: skip

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        x = FOUR.repeat_interleave(SHOWN, 0)
        for name, recipe in recipes.items():
            game = trial.play(recipe)
            torch.manual_seed(trial.seed)
            found[name] = measured(game, trial.seed)
            found[name]["codes"] = game.ask("infer", x)[0] if game.can("infer") else game.encode(x)
        return found

    runs = bench.each(once, "four-points")

    def more(name: str, key: str) -> list[float]:
        return [found[name][key] - found["vae"][key] for found in runs]

    gaps = [min(found[name]["log-likelihood"] - found[name]["bound"] for name in NAMES) for found in runs]
    better, fit, overlap = bench.pick((-0.03, -0.03, 0.03), (0.05, 0.1, -0.05))
    return Outcome(
        (
            *(above(f"bound, {NAMES[name]}, less the factorised one's", more(name, "bound"), better, "nats")
              for name in ("vae-iaf", "avb")),
            *(above(f"log p(x), {NAMES[name]}, less the factorised one's", more(name, "log-likelihood"), fit, "nats")
              for name in ("vae-iaf", "avb")),
            *(below(f"share of codes nearest to another point's, {NAMES[name]}, less the factorised one's",
                    more(name, "overlap"), overlap) for name in ("vae-iaf", "avb")),
            above("least of log p(x) by quadrature, less the bound", gaps, -0.05, "nats"),
        ),
        {name: {key: [found[name][key] for found in runs] for key in ("bound", "log-likelihood", "overlap")}
         | {"codes": runs[0][name]["codes"]} for name in NAMES},
        "Factorised posteriors are round blobs that leave gaps and overlap; flexible ones fill the prior side by side. "
        "Their likelihood comes closer to the best there is, -log 4, and the bound closer to the likelihood.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 5.0)
    axes = figure.subplot_mosaic("pab;cdd")
    prior = torch.randn(4 * SHOWN, 2, generator=torch.Generator().manual_seed(0))
    axes["p"].plot(*prior.T, ".", markersize=1.5, color=COLOURS[7], alpha=0.6)
    axes["p"].set_title("prior")
    for place, name in zip("abc", NAMES, strict=True):
        for i, codes in enumerate(np.asarray(told[name]["codes"]).reshape(4, SHOWN, 2)):
            axes[place].plot(*codes.T, ".", markersize=1.5, color=COLOURS[i], alpha=0.6)
        axes[place].set_title(f"{NAMES[name]}: {100 * np.median(told[name]['overlap']):.0f}% overlap")
    for place in "pabc":
        axes[place].set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), aspect="equal", xlabel="z_1", ylabel="z_2")
    at = np.arange(len(NAMES))
    for key, mark, colour, label in (("log-likelihood", "o", 0, "log p(x), by quadrature"), ("bound", "s", 1, "ELBO")):
        for k, run in enumerate(zip(*(told[name][key] for name in NAMES), strict=True)):
            axes["d"].plot(at, run, mark, color=COLOURS[colour], alpha=0.8, label=label if k == 0 else None)
    axes["d"].axhline(-np.log(4), color=COLOURS[6], linestyle="dashed")
    axes["d"].set(xticks=at, xticklabels=NAMES.values(), xlim=(-0.5, 2.5))
    axes["d"].margins(y=0.25)
    labelled(axes["d"], "posterior", "nats an example", "dashed: -log 4, the best there is")
