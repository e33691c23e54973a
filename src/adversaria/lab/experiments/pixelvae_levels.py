"""What does each level of a PixelVAE decide: the topmost code, the maps of codes below it, and the pixels?

    p(z_2) p(z_1 | z_2) prod_i p(x_i | x_<i, G(z_1)),   z_2 a vector, z_1 maps of codes one place after the other
    x = f(z_2, e_1, e_0),   e_1 and e_0 the noise by which z_1 and the pixels are drawn

A pixelvae of two levels is trained on images in black and white. Samples are drawn, and drawn again with one of z_2,
e_1 and e_0 anew and the other two as they were. Two things are told of each change: how often the label changes, that
of the nearest training image, and how much of the change lies at high frequencies, the power of the difference above
half the Nyquist frequency over its whole. If the top holds what is shown and the rest its detail, labels must change
with z_2 more often than with the pixels' noise by 0.1 at least, and more often than with z_1's; and the pixels' change
must have the larger share of high frequencies than z_2's, which is nan where z_2 changes nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.data import load
from adversaria.game import seeded
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, SIZE, labelled, panels, sheet
from adversaria.metrics.spectrum import high_octave

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1611.05013, Section 4.2, Figure 6",)
LEVELS = {"top": "z_2 anew", "lower": "z_1 anew", "pixels": "pixels anew"}


def run(bench: Bench) -> Outcome:
    rounds, n = bench.pick((220, 300), (2_000, 500))
    data = load(bench.source, binarise="static")
    size: dict[str, Any] = bench.pick(
        {"width": 8, "latent": 8, "maps": 8, "pixel_width": 12, "anneal": 100, "batch": 32, "adam": {"lr": 4e-3}}, {}
    )

    def once(trial: Trial) -> dict[str, Any]:
        recipe = make("pixelvae", "small", levels=2, pixel_layers=1, code_channels=2, rounds=rounds, **size)
        game = trial.play(recipe, data)
        train = data.examples(min(5_000, data.size()), seed=trial.seed)
        above_, ordered, G, p = (game.networks[name] for name in ("above", "prior", "decoder", "observation"))
        latent = recipe.fields()["latent"]

        def drawn(top: int, lower: int, pixels: int) -> Tensor:
            """f of the seeds of z_2, e_1 and e_0."""
            with game.at_rest():
                with seeded(top):
                    maps = above_(torch.randn(n, latent))
                with seeded(lower):
                    z = ordered.draw(maps)  # type: ignore[operator]
                with seeded(pixels):
                    return p.show(G(z))  # type: ignore[operator]

        def labels(x: Tensor) -> Tensor:
            assert train.labels is not None
            return train.labels[torch.cdist(x.flatten(1), train.x.flatten(1)).argmin(1)]

        x = drawn(1, 2, 3)
        again = {"top": drawn(4, 2, 3), "lower": drawn(1, 4, 3), "pixels": drawn(1, 2, 4)}
        found: dict[str, Any] = {"x": x[:10], "again": {name: y[:10] for name, y in again.items()}}
        for name, y in again.items():
            change = y - x
            found[name] = {"label": float((labels(y) != labels(x)).double().mean()),
                           "fine": float(high_octave(change).sum() / change.double().square().mean((1, 2, 3)).sum()),
                           "moved": float((change != 0).double().mean())}  # fmt: skip
        return found

    runs = bench.each(once)

    def more(one: str, other: str, key: str) -> list[float]:
        return [found[one][key] - found[other][key] for found in runs]

    return Outcome(
        (
            above("share of labels that change with z_2, less with the pixels", more("top", "pixels", "label"), 0.1),
            above("share of labels that change with z_2, less with z_1", more("top", "lower", "label"), 0.0),
            above("share of the change at high frequencies, pixels less z_2", more("pixels", "top", "fine"), 0.0),
        ),
        {"x": runs[0]["x"], "again": runs[0]["again"]}
        | {name: {key: [found[name][key] for found in runs] for key in ("label", "fine", "moved")} for name in LEVELS},
        "Rows: samples, then the same with one level anew. If upper levels held what an image shows, a new z_2 would "
        "change the digit, a new z_1 its shape, and new pixel noise a few pixels only. Where the row of z_2 is the row "
        "of samples, that code is unused.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    samples, label, fine = panels(figure, 3, gridspec_kw={"width_ratios": (2.1, 1, 1)})
    figure.set_size_inches(SIZE[0], 2.6)
    rows = [np.asarray(told["x"]), *(np.asarray(told["again"][name]) for name in LEVELS)]
    sheet(samples, np.concatenate(rows), 10)
    h = rows[0].shape[2] + 1
    samples.set_yticks([h * (k + 0.5) for k in range(4)], ["samples", *LEVELS.values()])
    samples.tick_params(length=0)
    for axes, key, words in (
        (label, "label", "share of labels that change"),
        (fine, "fine", "share at high frequencies"),
    ):
        values = [np.asarray(told[name][key]) for name in LEVELS]
        axes.bar(range(3), [np.median(value) for value in values], color=[COLOURS[k] for k in (0, 2, 1)])
        for k, value in enumerate(values):
            axes.plot([k] * len(value), value, ".", color=COLOURS[6], markersize=4)
        axes.set_xticks(range(3), ["z_2", "z_1", "pixels"])
        labelled(axes, "drawn anew", words)
