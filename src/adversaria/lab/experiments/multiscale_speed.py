"""How many steps that wait for one another does an image take, pixel by pixel and scale by scale?

    pixel by pixel    p(x) = prod_i p(x_i | x_<i):                                    d steps for d pixels
    scale by scale    p(x) = p(x^0) prod_s p(x^s_1 | ..) p(x^s_2 | ..) p(x^s_3 | ..):   |x^0| + 3 S steps
                      x^0 every 2^S-th pixel; all pixels of a group x^s_k at once, given the groups before

Images of 8, 16 and 32 pixels a side, drawn from fresh models of like width: neither way's steps depend on what the
weights are. Calls of networks that wait for one another are counted: gated-pixelcnn draws its pixels one by one, and
keeps what it has computed; multiscale-pixelcnn begins with 4 x 4 pixels. The first must take d steps and the other
16 + 3 S, exactly; at 32 pixels that is 0.025 steps a pixel. Wall-clock time is the machine's: for a batch of 4 images
scale by scale must take at most a third of pixel by pixel's at the largest side (quick: 0.6 at 16 pixels).
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.multiscale_pixelcnn import counted
from adversaria.data import DataSpec
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels

SOURCES = ("001",)
MORE = ("Reed et al. (2017), arXiv:1703.03664, Section 3",)
NAMES: dict[str, dict[str, Any]] = {"gated-pixelcnn": {"width": 16, "layers": 3},
         "multiscale-pixelcnn": {"width": 16, "layers": 3, "base": 4}}  # fmt: skip
IMAGES = 4


def run(bench: Bench) -> Outcome:
    sides = bench.pick([8, 16], [8, 16, 32])

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {"steps": {name: [] for name in NAMES}, "seconds": {name: [] for name in NAMES}}
        for name, size in NAMES.items():
            for side in sides:
                torch.manual_seed(trial.seed)
                game = make(name, **size).build(DataSpec("image", (1, side, side), levels=2))
                found["steps"][name].append(sum(counted(game, trial.seed).values()))
                times = []
                for _ in range(bench.pick(1, 3)):
                    started = time.perf_counter()
                    game.sample(IMAGES, seed=trial.seed)
                    times.append(time.perf_counter() - started)
                found["seconds"][name].append(min(times) / IMAGES)
        return found

    runs = bench.each(once)
    scales = np.log2(np.array(sides) / 4)
    due = {"gated-pixelcnn": np.array(sides) ** 2, "multiscale-pixelcnn": 16 + 3 * scales}
    slow, fast = due

    def of(kind: str, name: str) -> np.ndarray:
        return np.array([found[kind][name] for found in runs], dtype=float)

    return Outcome(
        (
            *(near(f"steps of {name} less those of the formula, the most",
                   list(np.abs(of("steps", name) - due[name]).max(1)), 0.0, 0.0, exact="by counting") for name in due),
            below(f"seconds an image of {sides[-1]} pixels, scale by scale over pixel by pixel",
                  list(of("seconds", fast)[:, -1] / of("seconds", slow)[:, -1]), bench.pick(0.6, 1 / 3)),
        ),
        {"side": sides} | {kind: {name: of(kind, name) for name in NAMES} for kind in ("steps", "seconds")},
        "Steps grow as the number of pixels one by one, and by three for each doubling of the side scale by scale; so "
        "does the gap in time.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    words = {"gated-pixelcnn": "gated-pixelcnn, pixel by pixel",
             "multiscale-pixelcnn": "multiscale, scale by scale"}  # fmt: skip
    for axes, kind, label in zip(
        panels(figure, 2), ("steps", "seconds"), ("sequential steps", "seconds an image"), strict=True
    ):
        for (name, word), colour, mark in zip(words.items(), (1, 0), "so", strict=True):
            curve(axes, told["side"], told[kind][name], word, COLOURS[colour], marker=mark)
        axes.set(xscale="log", yscale="log", xticks=told["side"], xticklabels=told["side"])
        axes.minorticks_off()
        labelled(axes, "pixels of a side", label, legend=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
