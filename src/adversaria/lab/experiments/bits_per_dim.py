"""How many bits does a pixel cost under each model?

    bits/dim = -log2 p(x) / d,   uniform on 256 levels: log2 256 = 8,   of a density under dequantisation: a bound

Held-out images are told by each model. Uniform is exact; the normal law of full covariance is fitted to dequantised
training images in closed form; NICE is told by its bound under uniform dequantisation, PixelCNN, gated PixelCNN and
PixelRNN exactly. Each trains for the rounds of its line here, and is taken where the validation split was likeliest. As
in the lecture's table, of uniform, normal, NICE and PixelCNN every one must cost less than the one before it; the other
two are shown, since seconds decide their order. Published values, of CIFAR-10, stand beside: they are of other data,
and no number here may be compared with them. Digits are stored as 8 bits but have 17 levels, which a model can learn:
4.09 bits are enough. CIFAR-10 that was once JPEG-coded is easier than CIFAR-10, and isn't comparable either.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.held import cost, trained
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.metrics import closed_forms

SOURCES = ("001",)
MORE = ("van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759, Table 5",
        "van den Oord et al. (2016), arXiv:1606.05328")  # fmt: skip
PUBLISHED = {"uniform": 8.00, "normal": 4.70, "NICE": 4.48, "deep diffusion": 4.20, "DRAW": 4.13, "deep GMM": 4.00,
             "RIDE": 3.47, "PixelCNN": 3.14, "gated PixelCNN": 3.03, "PixelRNN": 3.00}  # fmt: skip
TRAINED = {"NICE": ("nice", 100, 3_000), "PixelCNN": ("pixelcnn", 90, 800),
           "gated PixelCNN": ("gated-pixelcnn", 0, 300), "PixelRNN": ("pixelrnn", 0, 200)}  # fmt: skip


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, float]:
        data = trial.data
        test, train = (data.examples(min(data.size(split), 5_000), split).x for split in ("test", "train"))
        floors = closed_forms(train, test, data.spec)
        found = {"uniform": floors["uniform"].value, "normal": floors["gaussian"].value}
        for name, (recipe, *budgets) in TRAINED.items():
            if rounds := bench.pick(*budgets):
                found[name] = cost(trained(trial, make(recipe, "small", rounds=rounds))[0], data, 500).value
        return found

    runs = bench.each(once)
    pairs = (("uniform", "normal"), ("normal", "NICE"), ("NICE", "PixelCNN"))
    return Outcome(
        (
            near("uniform on 256 levels", [run["uniform"] for run in runs], 8.0, 1e-9, "bits/dim", "log2 256"),
            *(below(f"{ours}, less {other}", [run[ours] - run[other] for run in runs], 0.0, "bits/dim")
              for other, ours in pairs),
        ),
        {"measured": {name: [run[name] for run in runs] for name in runs[0]}, "published": PUBLISHED,
         "data": bench.images.name + (" (lossy)" if bench.images.lossy else "")},
        "Left: measured here. Right: published for CIFAR-10. Two data sets, two scales: compare the orders, never the "
        "numbers.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    axes = panels(figure, 2)
    sides = (told["measured"], {k: [v] for k, v in told["published"].items()})
    titles = (f"measured, {told['data']}", "published, CIFAR-10")
    for axis, values, title, colour in zip(axes, sides, titles, COLOURS, strict=False):
        names = list(values)[::-1]
        medians = [float(np.median(values[name])) for name in names]
        axis.barh(names, medians, color=colour)
        for i, value in enumerate(medians):
            axis.text(value + 0.1, i, f"{value:.2f}", va="center", fontsize=8)
        axis.set_xlim(0, 9)
        axis.tick_params(axis="y", labelsize=8)
        labelled(axis, "bits for a number (lower is better)", "", title)
