"""What do adversarially learned encoders keep of an image: its pixels or its subject?

    ALI      x -> z ~ q(z | x) -> G(z)        BiGAN   x -> E(x) -> G(E(x))
    HALI     x -> z_1 -> x',   and   x -> z_1 -> z_2 -> z_1' -> x''   from the upper code alone
    players  max_D  E log D(x, z) + E log(1 - D(G(z), z)),   encoder and generator the other way round

No term compares an image with its reconstruction; only the joints are matched. Of held-out images each way's
reconstructions are told by a classifier trained on the data (share that keeps the label) and in squared error over the
data's variance, where 1 is the mean image and 2 another image at random. ALI's and BiGAN's must keep the label more
often than not, 0.5 (quick: 0.25, twice and a half of chance), with an error above 0.1: the subject, not the pixels.
HALI's from z_1 must have less error than from z_2 alone and keep more labels, and z_2 alone, the gist, must keep them
in half of the cases (not asked of the quick budget, which is too short for it). The aggregate of codes and draws of the
prior must have an energy distance below 0.1 an ALI code number, so that samples and reconstructions come from the same
place.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.ali import SMALL as FASTER
from adversaria.claims.check import Trial
from adversaria.claims.hali import SMALL as HALI
from adversaria.claims.tools import energy_distance, told
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, labelled, panels, sheet

SOURCES = ("001",)
MORE = ("Dumoulin et al. (2017), arXiv:1606.00704, Section 4.1", "Donahue et al. (2017), arXiv:1605.09782, Figure 2",
        "Belghazi et al. (2018), arXiv:1802.01071, Section 4")  # fmt: skip
WAYS = {"ali": "ALI", "bigan": "BiGAN", "hali": "HALI, z_1", "upper": "HALI, z_2"}


def run(bench: Bench) -> Outcome:
    rounds = bench.pick(200, 3_000)
    smaller: dict[str, Any] = bench.pick(
        {
            "width": 8,
            "hidden": 64,
            "batch": 64,
            "average": 0.95,
            "discriminator": {"lr": 2e-3},
            "generators": {"lr": 3e-3},
        },
        {},
    )
    recipes = {"ali": make("ali", **{**FASTER, **smaller, "rounds": rounds}),
               "bigan": make("bigan", **{**FASTER, **smaller, "rounds": rounds}, prior="normal"),
               "hali": make("hali", **{**HALI, **smaller, "rounds": 2 * rounds})}  # fmt: skip

    def once(trial: Trial) -> dict[str, Any]:
        held = trial.data.examples(min(trial.data.size("test"), 1_000), "test")
        x = held.x
        labels: Any = held.labels
        spread = float((x - x.mean(0)).square().mean())
        found: dict[str, Any] = {"x": x[:12]}

        def kept(name: str, y: Tensor) -> None:
            same = told(y, trial.data).eq(labels)
            found[name] = {
                "label": float(np.mean(same.numpy())),
                "error": float((x - y).square().mean()) / spread,
                "y": y[:12],
            }

        for name, recipe in recipes.items():
            game = trial.play(recipe)
            kept(name, game.reconstruct(x, seed=trial.seed))
            if name == "hali":
                kept("upper", game.decode(game.encode(x, seed=trial.seed)))
            if name == "ali":
                codes, drawn = game.encode(x, seed=trial.seed), game.latent(len(x), seed=trial.seed)
                found["apart"] = energy_distance(codes, drawn) / codes.shape[1]
                found["samples"] = game.decode(drawn[:12])
        return found

    runs = bench.each(once)

    def of(name: str, key: str) -> list[float]:
        return [found[name][key] for found in runs]

    most = bench.pick(0.25, 0.5)
    return Outcome(
        (
            *(above(f"share of labels kept, {WAYS[name]}", of(name, "label"), most) for name in ("ali", "bigan")),
            *(above(f"squared error over variance, {WAYS[name]}", of(name, "error"), 0.1) for name in ("ali", "bigan")),
            below("squared error over variance, HALI, z_1 less z_2 alone",
                  [f["hali"]["error"] - f["upper"]["error"] for f in runs], 0.0),
            above("share of labels kept, HALI, z_1 less z_2 alone",
                  [f["hali"]["label"] - f["upper"]["label"] for f in runs], 0.0),
            *(() if bench.quick else (above("share of labels kept, HALI, z_2 alone", of("upper", "label"), 0.5),)),
            below("energy distance of ALI's codes from the prior, a number", [f["apart"] for f in runs], 0.1),
        ),
        {"x": runs[0]["x"], "samples": runs[0]["samples"], "y": {name: runs[0][name]["y"] for name in WAYS}}
        | {name: {key: of(name, key) for key in ("label", "error")} for name in WAYS},
        "To the left and above: near in pixels, with the label kept. What ALI and BiGAN keep is the digit, "
        "where they keep it, not its pixels; HALI's z_1 should be nearer to the image than z_2 alone.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    images, numbers = panels(figure, 2, gridspec_kw={"width_ratios": (1.7, 1)})
    figure.set_size_inches(SIZE[0], 3.1)
    rows = [np.asarray(told["x"]), *(np.asarray(told["y"][name]) for name in WAYS), np.asarray(told["samples"])]
    sheet(images, np.concatenate(rows), 12)
    h = rows[0].shape[2] + 1
    images.set_yticks([h * (k + 0.5) for k in range(len(rows))], ["held-out", *WAYS.values(), "ALI samples"])
    images.tick_params(length=0)
    for (name, word), colour, mark in zip(WAYS.items(), (0, 1, 2, 3), "os^D", strict=True):
        numbers.plot(told[name]["error"], told[name]["label"], mark, color=COLOURS[colour], label=word)
    numbers.set(xlim=(0, 2), ylim=(0, 1.02))
    labelled(numbers, "squared error / variance", "share of labels kept")
