"""Do images change smoothly on the way from one random code to another, where a memoriser's jump?

    x(t) = G(z_a + t (z_b - z_a)),   ratio = longest step |x(t + dt) - x(t)| / mean step

Between 64 pairs of codes of a trained DCGAN the straight way is cut into 50 steps. A sudden transition makes the
longest step many times the mean one: 50 times, if all of the way lies in one step. The mean ratio must be below 3. A
memoriser, which draws the training image nearest to each image of the same ways, must be above 6. The path length, the
mean squared speed of pixels on the way, stands in the figure with its interval.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.dcgan import step
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels, sheet
from adversaria.metrics import path_length

SOURCES = ("000", "002")
MORE = (
    "Radford, Metz and Chintala (2016), arXiv:1511.06434, Section 6.1",
    "Karras, Laine and Aila (2019), arXiv:1812.04948, Section 4.1, on path length",
)
CODES, SHOWN = 9, 10


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        quick: dict[str, Any] = {"width": 16, "rounds": 200, "adam": {"lr": 1e-3, "betas": (0.5, 0.999)}}
        changed = bench.pick(quick, {"width": 32, "rounds": 2_000})
        game = trial.play(make("dcgan", **changed))
        found = step(trial, game)
        z = game.latent(CODES, seed=3)
        train = trial.data.examples(min(trial.data.size(), 2_000), seed=0).x
        ways = [game.decode(torch.stack([a + t * (b - a) for t in torch.linspace(0, 1, SHOWN)])).cpu()
                for a, b in zip(z, z.roll(-1, 0), strict=True)]  # fmt: skip
        copies = [train[torch.cdist(way.flatten(1), train.flatten(1)).argmin(1)] for way in ways]
        fine = game.decode(torch.stack([z[0] + t * (z[1] - z[0]) for t in torch.linspace(0, 1, 51)])).cpu()
        nearest = train[torch.cdist(fine.flatten(1), train.flatten(1)).argmin(1)]
        steps = {name: (x[1:] - x[:-1]).flatten(1).norm(dim=1) for name, x in (("model", fine), ("copies", nearest))}
        with game.at_rest():
            z0, z1 = game.latent(200, seed=4), game.latent(200, seed=5)
            length = path_length(game.abilities["decode"], z0=z0, z1=z1, way="linear")
        return {
            "path length": [length.value, *length.interval], "ratio": found.value, "steps": steps,
            "memoriser": float(found.facts["memoriser"]), "ways": torch.cat(ways[:6]), "copies": torch.cat(copies[:6]),
        }  # fmt: skip

    runs = bench.each(once)
    return Outcome(
        (
            below("longest step of a way over its mean step", [run["ratio"] for run in runs], 3.0),
            above("the same of a memoriser", [run["memoriser"] for run in runs], 6.0),
        ),
        {"ways": runs[0]["ways"], "copies": runs[0]["copies"], "path length": [run["path length"] for run in runs],
         **{f"steps of {k}": v for k, v in runs[0]["steps"].items()}},
        "Six ways between random codes, from left to right; the same ways as a memoriser would draw them; and how far "
        "the image moves in each step of the first way. The memoriser stands still, then jumps.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    ways, copies, steps = panels(figure, 3)
    sheet(ways, told["ways"], SHOWN)
    length, low, high = told["path length"][0]
    ways.set(title="the model", xlabel=f"path length {length:.3g} [{low:.3g}, {high:.3g}]")
    sheet(copies, told["copies"], SHOWN)
    copies.set_title("a memoriser on the same ways")
    for name, colour in (("model", 0), ("copies", 1)):
        steps.step(range(1, 51), told[f"steps of {name}"], color=COLOURS[colour],
                   label={"model": "the model", "copies": "a memoriser"}[name])  # fmt: skip
    labelled(steps, "step of 50 on the first way", "distance of images (pixels of -1 to 1)")
