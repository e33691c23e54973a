"""What does it cost to move one pile of dirt onto another?

    W(P, Q) = min_T  sum_ij T_ij |i - j|     where T >= 0 has row sums P and column sums Q
            = sum_k |F_P(k) - F_Q(k)|        on a line, F the running sums

P = (3, 2, 1, 4) and Q = (1, 2, 4, 3): the cheapest plan costs 5. It is found by linear programming; its row and column
sums are P and Q, the dual's prices give the same cost, and so do the running sums.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.distributions import optimal_plan
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("000",)
MORE = ("Villani (2009), Optimal Transport: Old and New, Chapters 5 and 6",)
P, Q = torch.tensor([3.0, 2, 1, 4]).double(), torch.tensor([1.0, 2, 4, 3]).double()


def run(bench: Bench) -> Outcome:
    k = torch.arange(len(P)).double()
    found = optimal_plan(P, Q, (k[:, None] - k).abs())
    sums = float((P.cumsum(0) - Q.cumsum(0)).abs().sum())
    prices = float(P @ found.f + Q @ found.g)
    off = max(float((found.plan.sum(1) - P).abs().max()), float((found.plan.sum(0) - Q).abs().max()))
    return Outcome(
        (
            near("cost of the cheapest plan", found.cost, 5.0, 1e-6, "units of dirt times places", "by hand"),
            near("cost by the dual's prices", prices, 5.0, 1e-6),
            near("sum of the differences of running sums", sums, 5.0, 1e-12),
            below("largest error of the plan's row and column sums", off, 1e-9),
        ),
        {"plan": found.plan, "P": P, "Q": Q},
        "Every number is how much dirt goes from a place of P to a place of Q; on the diagonal it stays where it is.",
    )


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    piles, plan = panels(figure, 2)
    places = torch.arange(1, 5)
    piles.bar(places - 0.2, told["P"], 0.4, color=COLOURS[0], label="P")
    piles.bar(places + 0.2, told["Q"], 0.4, color=COLOURS[1], label="Q")
    labelled(piles, "place", "dirt (units)", "two piles")
    piles.set_xticks(places)
    plan.imshow(told["plan"], cmap="Blues", extent=(0.5, 4.5, 4.5, 0.5), vmax=5)
    for i, row in enumerate(told["plan"].tolist()):
        for j, mass in enumerate(row):
            if mass > 0:
                plan.text(j + 1, i + 1, f"{mass:g}", ha="center", va="center")
    labelled(plan, "to place of Q", "from place of P", "the cheapest plan: units moved")
    plan.set(xticks=places, yticks=places)
    plan.grid(False)
