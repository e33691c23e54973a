"""Do deeper encoders and decoders leave more latent components unused, and what brings them back?

    min  E_q[-log p(x | z)] + w_t sum_j max(lambda, KL_j),   KL_j = E_x KL(q(z_j | x) || N(0, 1))
    component j is active if  Var_x E_q[z_j | x] > 0.01;   collapsed, it has KL_j = 0
    annealing: w_t rises from 0 to 1;   free bits: lambda nats of each component cost nothing

vae recipes with 16 components and fully connected encoders and decoders of 1 to 8 hidden layers (quick: 4), the same
data and rounds. On held-out images the deepest must have at least 2 active components fewer than the shallowest, and
less KL in all. The cures at the deepest: free bits of 0.25 nats must give it 2 active components more, and so must
annealing over half of the rounds.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import active_units, elbo_surgery

SOURCES = ("001",)
MORE = ("Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519, Section 5.2",
        "Sønderby et al. (2016), arXiv:1602.02282", "Kingma et al. (2016), arXiv:1606.04934")  # fmt: skip
LATENT = 16


def run(bench: Bench) -> Outcome:
    depths, rounds = bench.pick(([1, 4], 300), ([1, 2, 4, 8], 2_000))
    cures: dict[str, dict[str, Any]] = {"free bits": {"free_bits": 0.25}, "annealing": {"anneal": rounds // 2}}

    def used(trial: Trial, depth: int, cure: dict[str, Any]) -> dict[str, Any]:
        recipe = make("vae", "small", latent=LATENT, network="mlp", hidden=64, depth=depth, rounds=rounds,
                      adam={"lr": bench.pick(3e-3, 1e-3)}, **cure)  # fmt: skip
        x = trial.data.examples(min(1_000, trial.data.size("test")), "test").x
        mean, log_sd = trial.play(recipe).ask("posterior", x)
        each = elbo_surgery(mean=mean, log_sd=log_sd, samples=1)["rate"].details["per_dimension"]
        return {"active": active_units(mean=mean).value, "KL": sorted(each, reverse=True)}

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {f"{depth} layers": used(trial, depth, {}) for depth in depths}
        return found | {name: used(trial, depths[-1], cure) for name, cure in cures.items()}

    runs = bench.each(once)
    least, most = f"{depths[0]} layers", f"{depths[-1]} layers"

    def more(one: str, other: str) -> list[float]:
        return [found[one]["active"] - found[other]["active"] for found in runs]

    return Outcome(
        (
            above(f"active components, {depths[0]} layer less {most}", more(least, most), 2.0),
            below(f"KL of all components, {most} over {depths[0]}",
                  [sum(found[most]["KL"]) / sum(found[least]["KL"]) for found in runs], 1.0),
            *(above(f"active components gained by {name} at {most}", more(name, most), 2.0) for name in cures),
        ),
        {"depth": depths, "active": {name: [found[name]["active"] for found in runs] for name in runs[0]},
         "KL": {name: [found[name]["KL"] for found in runs] for name in runs[0]}, "cures": list(cures)},
        "With depth components fall silent: their KL is 0 and their mean the same for all images. Where a "
        "cure's mark lies on the plain curve it wakes none; annealing is over when half of the rounds are.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    counts, parts = panels(figure, 2)
    depths = told["depth"]
    runs = np.array([told["active"][f"{depth} layers"] for depth in depths]).T
    curve(counts, depths, runs, "plain", COLOURS[0], marker="o")
    for name, colour, mark in zip(told["cures"], (2, 1), "s^", strict=True):
        values = told["active"][name]
        counts.plot([depths[-1]] * len(values), values, mark, color=COLOURS[colour], label=f"with {name}", alpha=0.8)
    counts.set(xticks=depths, ylim=(0, 1.45 * LATENT), yticks=range(0, LATENT + 1, 4))
    labelled(counts, "hidden layers of encoder and of decoder", f"active components of {LATENT}")
    places = range(1, LATENT + 1)
    for depth, colour in ((depths[0], 5), (depths[-1], 0)):
        curve(parts, places, told["KL"][f"{depth} layers"], f"{depth} layer{'s' * (depth > 1)}", COLOURS[colour])
    for name, colour in zip(told["cures"], (2, 1), strict=True):
        curve(parts, places, told["KL"][name], f"{depths[-1]} layers, {name}", COLOURS[colour], linestyle="dashed")
    labelled(parts, "component, by its KL", "KL (nats an image)")
