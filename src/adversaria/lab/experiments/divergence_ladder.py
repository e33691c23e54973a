"""Which divergence going to 0 makes which other go to 0?

    KL(P, Q) -> 0   implies   JSD(P, Q) -> 0   implies   W1(P, Q) -> 0   on a compact set, and not conversely
    TV^2 <= KL / 2,   JSD <= log 2 TV,   TV^2 <= 2 JSD,   W1 <= diameter TV

Three sequences of discrete laws on [0, 1], n = 1 .. 64. A flat law against one with a ripple of height 1 / (n + 1):
all three must fall to a twentieth. A law with mass 1 / n at 1 against one with exp(-n) there: JSD and W1 must fall to
a twentieth, while KL goes to 1, since P's small mass costs n nats each. The even cells of 2 n against the odd ones: W1
must fall to a twentieth, JSD must be log 2 throughout, and KL infinite. The steps down are the inequalities above, so
each is also tried on random laws: the largest ratio of the left side to the right one must not pass 1. Sums are
enumerated, W1 is found by linear programming; nothing is estimated.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.distributions import jensen_shannon, kl, optimal_plan, total_variation
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("000",)
MORE = ("Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, Theorem 2",)
SLIP = "JSD is log 2 on disjoint supports with the factors 1/2 that lectures 001 and 004 leave out."
COUNTS = [1, 2, 4, 8, 16, 32, 64]
LEFT = 0.05
Laws = tuple[Tensor, Tensor, Tensor]
"""P, Q and the places they live on."""


def ripple(n: int) -> Laws:
    x = (torch.arange(16).double() + 0.5) / 16
    return torch.full((16,), 1 / 16).double(), (1 + torch.cos(2 * math.pi * x) / (1 + n)) / 16, x


def rare(n: int) -> Laws:
    few, hardly = 1 / n, math.exp(-n)
    return torch.tensor([1 - few, few]).double(), torch.tensor([1 - hardly, hardly]).double(), torch.tensor([0.0, 1.0])


def teeth(n: int) -> Laws:
    even = (torch.arange(2 * n) % 2 == 0).double() / n
    return even, 1 / n - even, (torch.arange(2 * n).double() + 0.5) / (2 * n)


def told(laws: Laws) -> dict[str, float]:
    p, q, x = laws
    log_p, log_q = p.log(), q.log()
    return {
        "KL": float(kl(log_p, log_q)), "JSD": float(jensen_shannon(log_p, log_q)),
        "W1": optimal_plan(p, q, (x[:, None] - x).abs()).cost, "TV": float(total_variation(log_p, log_q)),
    }  # fmt: skip


def run(bench: Bench) -> Outcome:
    found = {name: [told(make(n)) for n in COUNTS] for name, make in
             (("ripple", ripple), ("rare", rare), ("teeth", teeth))}  # fmt: skip
    torch.manual_seed(0)
    ratios: dict[str, list[float]] = {
        "TV^2 / (KL / 2)": [],
        "JSD / (log 2 TV)": [],
        "TV^2 / (2 JSD)": [],
        "W1 / TV": [],
    }
    for i in range(bench.pick(60, 500)):
        sharp = 10.0 ** (i % 4 - 2)  # from nearly one point to nearly flat
        p, q = torch.distributions.Dirichlet(torch.full((12,), sharp).double()).sample((2,)).clamp_min(1e-6)
        v = told((p / p.sum(), q / q.sum(), torch.linspace(0, 1, 12).double()))
        tv = v["TV"]
        for name, ratio in zip(ratios, (2 * tv**2 / v["KL"], v["JSD"] / (math.log(2) * tv), tv**2 / (2 * v["JSD"]),
                                        v["W1"] / tv), strict=True):  # fmt: skip
            ratios[name].append(ratio)
    fallen = {name: {d: rows[-1][d] / rows[0][d] for d in ("KL", "JSD", "W1")} for name, rows in found.items()}
    n = COUNTS[-1]
    limit = (1 / n) * (n - math.log(n)) + (1 - 1 / n) * math.log1p(-1 / n)
    return Outcome(
        (
            below("ripple: largest share of KL, JSD or W1 left at n = 64", max(fallen["ripple"].values()), LEFT),
            below("rare: larger share of JSD, W1 left at n = 64", max(fallen["rare"][d] for d in ("JSD", "W1")), LEFT),
            near("rare: KL at n = 64, on its way to 1", found["rare"][-1]["KL"], limit, 1e-6, "nats", "by hand"),
            below("teeth: share of W1 left at n = 64", fallen["teeth"]["W1"], LEFT),
            near("teeth: W1 at n = 64", found["teeth"][-1]["W1"], 1 / 128, 1e-9, exact="1 / (2 n) by hand"),
            near("teeth: least JSD", min(row["JSD"] for row in found["teeth"]), math.log(2), 1e-9, "nats", "log 2"),
            below("teeth: sequence members with a finite KL", sum(math.isfinite(r["KL"]) for r in found["teeth"]), 0),
            *(below(f"random laws: largest {name}", max(values), 1 + 1e-9) for name, values in ratios.items()),
        ),
        {"n": COUNTS, **{name: {d: [row[d] for row in rows] for d in fallen[name]} for name, rows in found.items()}},
        "On the left all three fall. In the middle JSD and W1 fall and KL stays; on the right only W1 falls, and KL is "
        "infinite throughout. The Wasserstein distance is the one that notices laws coming near each other.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    titles = {"ripple": "a ripple of height 1 / (n + 1)", "rare": "mass 1 / n against exp(-n)",
              "teeth": "even cells against odd ones"}  # fmt: skip
    for axes, (name, title) in zip(panels(figure, 3, sharey=True), titles.items(), strict=True):
        for d, colour, mark in (("KL", 1, "^"), ("JSD", 2, "s"), ("W1", 0, "o")):
            values = np.asarray(told[name][d], dtype=float)
            if np.isfinite(values).all():
                axes.plot(told["n"], values, color=COLOURS[colour], marker=mark, ms=4, label=d)
            else:
                axes.plot([], [], color=COLOURS[colour], marker=mark, ms=4, label="KL = infinity")
        axes.set(xscale="log", yscale="log", xticks=[1, 4, 16, 64], xticklabels=["1", "4", "16", "64"], ylim=(1e-5, 4))
        axes.minorticks_off()
        labelled(axes, "n", "divergence (KL, JSD: nats; W1: length)" if name == "ripple" else "", title)
        axes.legend(loc="lower left")
