"""Does a generator that matches the discriminator's features still learn from a discriminator that is sure?

    minimax            min_G  E log(1 - D(G(z)))
    feature matching   min_G  |E phi(x) - E phi(G(z))|^2      phi: the layer before the discriminator's last one

A DCGAN is trained by feature matching for an epoch. Its generator then stands still, a fresh discriminator learns to
tell its samples, and on the way both losses' gradients in the generator's parameters are taken against the same
discriminator. From its largest value to the mean of its last tenth the minimax one must fall by a decade or more, and
the other by half a decade, a factor of 3, at most. And it must teach: after training by feature matching alone, 8 of
the 10 classes (quick: 5) must each have a quarter of their even share of samples, as a classifier tells them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import told as told_as
from adversaria.diagnose.critics import gradient_probe
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.experiments.vanishing_gradient import decades
from adversaria.lab.figures import COLOURS, curve, labelled, panels, sheet

SOURCES = ("000",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 3.1",)


def run(bench: Bench) -> Outcome:
    steps, N = bench.pick(160, 1_500), 1_000
    shown: list[Any] = []

    def once(trial: Trial) -> dict[str, Any]:
        parts = {"matching": True}
        young = make("dcgan", width=16, batch=64, parts=parts | {"ratio": 25.0})
        game = trial.play(young, rounds=max(1, trial.data.size("train") // 64))
        probe = gradient_probe(game, trial.data.batches(64, seed=100 + trial.seed), steps=steps, every=steps // 16,
                               repeats=1, seed=trial.seed)  # fmt: skip
        assert probe.saturating is not None and probe.accuracy is not None
        grown = trial.play(make("dcgan", width=16, adam={"lr": 1e-3}, parts=parts), rounds=bench.pick(400, 3_000))
        y = grown.sample(N, seed=0).cpu()
        shares = torch.bincount(told_as(y, trial.data), minlength=trial.data.spec.classes) / N
        shown.append(y[:60])
        return {"steps": probe.steps, "minimax": probe.saturating[0], "matching": probe.own[0],
                "accuracy": probe.accuracy[0], "shares": shares}  # fmt: skip

    runs = bench.each(once)
    covered = [float((run["shares"] >= 0.25 / len(run["shares"])).sum()) for run in runs]
    return Outcome(
        (
            above("decades lost by the minimax gradient", [decades(run["minimax"]) for run in runs], 1.0, "decades"),
            below("decades lost by the gradient of feature matching", [decades(run["matching"]) for run in runs], 0.5,
                  "decades"),
            above("classes with a quarter of their even share of samples", covered, bench.pick(5.0, 8.0)),
        ),
        {"steps": runs[0]["steps"], "samples": shown[0],
         **{name: [run[name] for run in runs] for name in ("minimax", "matching", "accuracy", "shares")}},
        "As the discriminator gets better the minimax gradient fades away; that of feature matching doesn't. On the "
        "right are samples of a generator that has learned from nothing else.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    norms, bars, images = panels(figure, 3, width_ratios=(1.3, 1, 1))
    curve(norms, told["steps"], told["minimax"], "minimax", COLOURS[0])
    curve(norms, told["steps"], told["matching"], "feature matching", COLOURS[1])
    norms.set_yscale("log")
    labelled(norms, "training steps of the discriminator", "norm of the generator's gradient")
    shares = np.median(np.stack([np.asarray(s) for s in told["shares"]]), 0)
    bars.bar(range(len(shares)), shares, color=COLOURS[1])
    bars.axhline(0.25 / len(shares), color=COLOURS[7], linestyle="dashed", label="limit")
    bars.set_ylim(0, 1.3 * float(shares.max()))
    labelled(bars, "class, as a classifier tells it", "share of samples")
    sheet(images, told["samples"], 6)
    images.set_title("feature matching: samples")
