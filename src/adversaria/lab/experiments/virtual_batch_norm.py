"""Does a sample depend on the other samples of its batch?

    batch norm           (h - mean over the batch) / sd over the batch
    virtual batch norm   (h - mean over a reference batch and h) / sd over it, the reference batch fixed from the start

The generator of a DCGAN is trained with each norm. Then, as in a training step, the same code is drawn 16 times, each
time in a batch with 63 other fresh codes. Under virtual batch norm its image must not change at all, but for rounding
(1e-5); under batch norm it must move by more than 0.01, on pixels from -1 to 1. The last company is 63 copies of one
code: a batch that training never had.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import panels, sheet

SOURCES = ("000",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 3.5", "Ioffe and Szegedy (2015), arXiv:1502.03167")
NORMS, COMPANIES = ("batch", "virtual"), 16


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for norm in NORMS:
            recipe = make("dcgan", width=16, adam={"lr": 1e-3, "betas": (0.5, 0.999)}, average=0.0,
                          parts={"generator_norm": norm}, rounds=bench.pick(100, 1_000))  # fmt: skip
            game = trial.play(recipe)
            G = game.networks["generator"].train()  # the mode of a training step
            z = game.latent(5, seed=0)
            images = []
            with torch.no_grad():
                for k in range(COMPANIES):
                    others = game.latent(63, seed=k + 1)
                    if k == COMPANIES - 1:
                        others = others[:1].expand_as(others)
                    images.append(torch.stack([G(torch.cat([one[None], others]))[0] for one in z]))
            x = torch.stack(images)
            found[norm] = float((x - x[0]).abs().max())
            found[f"{norm} sheet"] = torch.cat([x[[0, 1, 2, 3, -1], i] for i in range(len(z))])
        return found

    runs = bench.each(once)
    return Outcome(
        (
            below("largest change of a pixel under virtual batch norm", [run["virtual"] for run in runs], 1e-5),
            above("largest change of a pixel under batch norm", [run["batch"] for run in runs], 0.01),
        ),
        {**{norm: [run[norm] for run in runs] for norm in NORMS},
         **{f"{norm} sheet": runs[0][f"{norm} sheet"] for norm in NORMS}},
        "A row is one code in five batches; in the last the 63 others are all alike. Under batch norm the row changes, "
        "under virtual batch norm it can't.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    for axis, norm in zip(panels(figure, 2), NORMS, strict=True):
        sheet(axis, told[f"{norm} sheet"], 5)
        axis.set(title=f"{norm} norm" if norm == "batch" else "virtual batch norm", ylabel="code",
                 xlabel=f"batch (the last: 63 copies); largest change {max(told[norm]):.2g}")  # fmt: skip
