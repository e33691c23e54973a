"""How many steps after one another does an image take: one a pixel, or one a group of pixels?

    PixelCNN: N steps for N pixels;   multiscale: n^2 of the smallest image, and 3 groups for each doubling: O(log N)

Steps that must wait for one another are counted in fresh models while they draw images of 8, 16 and 32 pixels, and the
seconds of one core for an image in a batch of 8 are taken. At 32 pixels the multiscale model must need at least ten
times fewer steps, and less time than a naive sampler, which does a whole pass for each pixel (one pass is taken, times
the pixels). Against the cached sampler, which computes of each pass only what is new, fewer steps alone are claimed: on
a core that does one thing after another anyway they save nothing.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.multiscale_pixelcnn import counted
from adversaria.data import DataSpec
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, curve, labelled, panels

SOURCES = ("001",)
MORE = ("Reed et al. (2017), arXiv:1703.03664, Section 3.2", "van den Oord et al. (2016), arXiv:1601.06759")
SIDES, BATCH = (8, 16, 32), 8
NAMES = ("PixelCNN, cached", "multiscale PixelCNN", "PixelCNN, naive")


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, list[list[float]]]:
        found: dict[str, list[list[float]]] = {"steps": [], "seconds": []}
        for side in SIDES:
            torch.manual_seed(trial.seed)
            spec = DataSpec("image", (1, side, side), levels=2)
            one, many = (make(name, "small").build(spec) for name in ("pixelcnn", "multiscale-pixelcnn"))
            x = one.sample(BATCH, seed=0)
            seconds = [timed(partial(game.sample, BATCH, seed=1)) for game in (one, many)]
            found["steps"].append([side**2, sum(counted(many, trial.seed).values()), side**2])
            found["seconds"].append([*seconds, side**2 * timed(partial(one.log_prob, x))])
        return found

    runs = bench.each(once)
    last = [(run["steps"][-1], run["seconds"][-1]) for run in runs]
    return Outcome(
        (
            above("steps of PixelCNN over multiscale's, at 32 pixels",
                  [one / many for (one, many, _), _ in last], 10.0),
            above("seconds of naive PixelCNN over multiscale's, at 32 pixels",
                  [naive / many for _, (_, many, naive) in last], 1.0),
        ),
        {"side": SIDES, **{name: [run[name] for run in runs] for name in ("steps", "seconds")}},
        "All axes are logarithmic. PixelCNN's steps grow with the number of pixels, the multiscale model's with its "
        "logarithm. Caching saves the work, not the steps: on one core it is as fast.",
    )  # fmt: skip


def timed(work: Callable[[], object]) -> float:
    """Seconds of one core for an image of the batch."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / BATCH


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    for axis, name, y in zip(panels(figure, 2), ("steps", "seconds"), ("steps after one another", "seconds of one core "
                             "for an image"), strict=True):  # fmt: skip
        for i, label in enumerate(NAMES):
            if name == "seconds" or i < 2:
                curve(axis, told["side"], np.array(told[name])[:, :, i], label, COLOURS[i], marker="o")
        axis.set(xscale="log", yscale="log", xticks=told["side"], xticklabels=told["side"])
        axis.minorticks_off()
        labelled(axis, "side of the image (pixels)", y)
