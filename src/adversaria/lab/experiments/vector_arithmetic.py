"""Do averages of codes add and subtract like concepts: bold a - thin a + thin b = a bold b?

    z = mean z(bold a) - mean z(thin a) + mean z(thin b),   is G(z) a bold b?

Attributes are measured on samples of a trained DCGAN: the class by a classifier, and ink, the mean brightness, within
the class. Each mean is over three codes. For every two classes a and b the sum must be told as b and be brighter than
halfway between the thin and the bold quarter of b. The lecture says "in most": a share above one half of the pairs
(above 0.2 in a quick run). The control has two means of any a in the place of its bold and thin one, so that the
difference means nothing; its share must stay below an eighth.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.dcgan import bold
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels, sheet

SOURCES = ("000", "004")
MORE = ("Radford, Metz and Chintala (2016), arXiv:1511.06434, Section 6.3.2",)
STEPS = 8


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        changed: dict[str, Any] = {"width": 16, "rounds": 250, "adam": {"lr": 1e-3, "betas": (0.5, 0.999)}}
        game = trial.play(make("dcgan", **bench.pick(changed, {"width": 32, "rounds": 3_000})))
        found = bold(trial, game)
        z = game.latent(2_000, seed=2)
        order = game.decode(z).flatten(1).mean(1).argsort()
        ink = z[order[-200:]].mean(0) - z[order[:200]].mean(0)
        some = z[order[:: len(order) // 6]][:6]
        ways = torch.stack([some + t * ink for t in torch.linspace(-1, 1, STEPS)], 1)
        return {"share": found.value, "control": found.facts["control"],
                "class": found.facts["told as b"], "sheet": game.decode(ways.flatten(0, 1))}  # fmt: skip

    runs = bench.each(once)
    return Outcome(
        (
            above("share of 'bold a - thin a + thin b' that is a bold b", [run["share"] for run in runs],
                  bench.pick(0.2, 0.5)),
            below("the same of a control whose difference means nothing", [float(run["control"]) for run in runs],
                  0.125),
        ),
        {"sheet": runs[0]["sheet"], **{name: [run[name] for run in runs] for name in ("share", "class", "control")}},
        "Left: six codes with the difference of bold and thin codes taken off (left end) or added (right end). Right: "
        "how often a sum of means is a bold b, and how often a b of any ink: where both are alike, ink is no trouble.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    ways, shares = panels(figure, 2)
    sheet(ways, told["sheet"], STEPS)
    ways.set_xlabel("code - ink   ...   code + ink")
    rows = (("share", "bold a - thin a + thin b"), ("class", "the same, a b of any ink"),
            ("control", "any a - any a + thin b"))  # fmt: skip
    for i, (name, label) in enumerate(rows):
        shares.plot([i] * len(told[name]), told[name], "o", color=COLOURS[i], label=label)
    shares.set(xticks=[0, 1, 2], xticklabels=["sum", "its class", "control"], xlim=(-0.5, 2.5), ylim=(-0.02, 1.02))
    labelled(shares, "", "share of pairs that come out as a bold b")
