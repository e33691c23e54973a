"""Does each row of a conditional GAN's sheet show the class it was given?

    min_G max_D  E log D(x | y) + E log(1 - D(G(z | y) | y))

A conditional GAN draws ten images for each of ten labels. A classifier that was trained on the same images, and never
saw the GAN, must tell at least 90 % of fresh samples as the label they were given (60 % in a quick run, whose
rounds are few); its accuracy on held-out images, which stands beside it, is about the most that could be. So that one
image for each class won't do, the variance of pixels within a class must be at least a quarter of the data's (a tenth
in a quick run).
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.cgan import spread
from adversaria.claims.check import Trial
from adversaria.claims.tools import eye, told
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, labelled, panels, sheet

SOURCES = ("004",)
MORE = ("Mirza and Osindero (2014), arXiv:1411.1784, Section 4.1 and Figure 2",)


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        quick: dict[str, Any] = {"width": 16, "rounds": 300, "adam": {"lr": 1e-3}}
        changed = bench.pick(quick, {"width": 32, "rounds": 3_000})
        game, data = trial.play(make("cgan", **changed)), trial.data
        k = data.spec.classes
        labels = torch.arange(100 * k) % k
        x, real = game.sample(len(labels), labels, seed=1).cpu(), data.examples(min(data.size(), 10_000))
        right = told(x, data) == labels
        rows = torch.arange(k).repeat_interleave(10)
        assert real.labels is not None
        return {
            "share": float(right.float().mean()),
            "classes": [float(right[labels == c].float().mean()) for c in range(k)],
            "spread": spread(x, labels) / spread(real.x, real.labels),
            "sheet": game.sample(len(rows), rows, seed=0),
        }

    runs = bench.each(once)
    real = eye(bench.images).accuracy or 0.0
    return Outcome(
        (
            above("share of samples told as the label they were given", [run["share"] for run in runs],
                  bench.pick(0.6, 0.9)),
            above("variance of pixels within a class, over the data's", [run["spread"] for run in runs],
                  bench.pick(0.1, 0.25)),
        ),
        {"sheet": runs[0]["sheet"], "classes": [run["classes"] for run in runs], "accuracy on held-out images": real},
        "Every row was given one label. The bars say which labels are obeyed; the dashed line is how well the same "
        "classifier knows real images.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    rows, bars = panels(figure, 2)
    sheet(rows, told["sheet"])
    rows.set_title("ten samples of each label, a row each")
    shares = torch.tensor(told["classes"]).median(0).values.numpy()
    bars.bar(range(len(shares)), shares, color=COLOURS[0], label="samples")
    bars.axhline(told["accuracy on held-out images"], color=COLOURS[1], linestyle="dashed", label="held-out images")
    bars.set(xticks=range(len(shares)), ylim=(0, 1.25))
    labelled(bars, "label given", "share told as that label")
