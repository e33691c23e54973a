"""How many bits a pixel do held-out images cost under each model, and which are better than a mere Gaussian?

    bits/dim = -log2 p(x) / d,   x with 256 levels a pixel:   uniform 8.00,   dequantised Gaussian: a bound from above

The lectures' table is of CIFAR-10. Here models are trained on the images at hand and their held-out bits measured by
the tightest means each has: exact for autoregressive models, a dequantised bound for flows, importance weights for the
VAE. Uniform must cost exactly 8 and the Gaussian with full covariance, fitted in closed form, less. Every trained
model must cost less than the Gaussian, and the best autoregressive one less than NICE, the table's order. Budgets are
small, so nothing is claimed of the distances.

The published column is of other data and compares with nothing measured here. The default images are 8x8 digits of
only 17 grey levels stored as 8 bits, so that a model which finds the levels needs at most 4.09 bits. The copy of
CIFAR-10 that is shipped for tests was JPEG-coded; its bits aren't the published ones' either.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.held import cost
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.metrics import closed_forms

SOURCES = ("001",)
MORE = (
    "Published values: van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759, Table 5",
    "Gated PixelCNN: van den Oord et al. (2016), arXiv:1606.05328",
)
PUBLISHED = {
    "uniform": 8.00, "Gaussian": 4.70, "NICE": 4.48, "deep diffusion": 4.20, "DRAW": 4.13, "deep GMM": 4.00,
    "RIDE": 3.47, "PixelCNN": 3.14, "Gated PixelCNN": 3.03, "PixelRNN": 3.00,
}  # fmt: skip
"""Bits/dim on CIFAR-10's test images."""
RECIPES = {"nice": "NICE", "vae": "VAE", "pixelcnn": "PixelCNN", "gated-pixelcnn": "Gated PixelCNN"}
TESTED = 500
ORDERED = ("PixelCNN", "Gated PixelCNN")


def run(bench: Bench) -> Outcome:
    data = bench.images
    x = data.examples(min(data.size("test"), TESTED), "test").x
    free = closed_forms(data.examples(min(data.size(), 20_000)).x, x, data.spec)
    quick = {"nice": 120, "pixelcnn": 90, "gated-pixelcnn": 30}
    rounds = bench.pick(quick, {"nice": 1_000, "vae": 600, "pixelcnn": 600, "gated-pixelcnn": 400})

    def once(trial: Trial) -> dict[str, float]:
        found = {}
        for name, many in rounds.items():
            game = trial.play(make(name, "small"), rounds=many)
            found[RECIPES[name]] = cost(game, data, TESTED).value
        return found

    runs = bench.each(once)
    gaussian = free["gaussian"].value
    name = f"{data.name}, JPEG-coded" if data.lossy else data.name
    return Outcome(
        (
            near("uniform", free["uniform"].value, math.log2(data.spec.levels), 1e-9, "bits/dim", "log2 of the levels"),
            below("Gaussian", gaussian, free["uniform"].value - 1e-9, "bits/dim"),
            *(below(f"{model}, to be below the Gaussian", [run[model] for run in runs], gaussian, "bits/dim")
              for model in runs[0]),
            below("best autoregressive model less NICE",
                  [min(run[m] for m in ORDERED) - run["NICE"] for run in runs], 0.0, "bits/dim"),
        ),
        {"data": name, "measured": {"uniform": [free["uniform"].value], "Gaussian": [gaussian],
                                    **{model: [run[model] for run in runs] for model in runs[0]}}},
        f"Bars: measured on {name}. Lines: published values of CIFAR-10, other data, for the order alone; the CIFAR-10 "
        "shipped for tests is JPEG-coded and doesn't compare with them either.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    (axes,) = panels(figure, 1)
    figure.set_size_inches(7.6, 4.2)
    names = [*PUBLISHED, *(name for name in told["measured"] if name not in PUBLISHED)]
    shown = "measured here, on " + told["data"]
    for i, name in enumerate(names):
        if name in told["measured"]:
            values = np.asarray(told["measured"][name], dtype=float)
            axes.barh(i, np.median(values), 0.6, color=COLOURS[5], label=shown)
            axes.plot(values, np.full(len(values), i), ".", color=COLOURS[0], ms=4)
            axes.text(float(values.max()) + 0.08, i, f"{np.median(values):.2f}", va="center", fontsize=8)
            shown = ""
        if name in PUBLISHED:
            axes.plot([PUBLISHED[name]] * 2, [i - 0.38, i + 0.38], color=COLOURS[1], lw=2.5,
                      label="published, on CIFAR-10 (other data)" if i == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 12.5)
    labelled(axes, "bits/dim of held-out images", "")
    axes.legend(loc="lower right")
