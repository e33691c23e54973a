"""Does the product rule give a valid density in any order of the pixels, and does the order matter?

    p(x) = prod_t p(x_{o_t} | x_{o_1} .. x_{o_{t-1}}),   sum_x p(x) = 1   for every order o

Every autoregressive recipe is trained on 12 pixels, black or white, of the middle of images, put in several orders: row
by row, column by column, backwards, at random. The probabilities of all 4,096 images must add up to 1 within 1e-5, a
hundred roundings of float32, in each. The one network of deep-nade, which takes any order, must do so in 20 more. The
check can fail: the product of p(x_i | all others), which follows no order, is wrong by more than 0.05. An order makes
densities valid, not equally good: the likelihood of held-out images is drawn beside.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.data import Dataset, load
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.oracles.tiny import everything
from adversaria.ordered import alphabet

SOURCES = ("001",)
MORE = ("Larochelle and Murray (2011), AISTATS", "Uria, Murray and Larochelle (2014), arXiv:1310.1757")
SHAPE = (3, 4)
NAMES: dict[str, dict[str, Any]] = {
    "fvsbn": {}, "nade": {"hidden": 32}, "made": {"hidden": 64}, "neural-ar": {"hidden": 32},
    "deep-nade": {"hidden": 64, "adam": {"lr": 1e-2}}, "pixelrnn": {"units": 6, "layers": 1},
    "pixelcnn": {"width": 16, "layers": 2},
    "gated-pixelcnn": {"width": 12, "layers": 2}, "pixelcnn-pp": {"width": 4, "layers": 1, "mixture": 2},
    "multiscale-pixelcnn": {"base": 2, "width": 8, "layers": 1, "mixture": 2},
}  # fmt: skip
SLOW = [name for name in NAMES if name.startswith("pixel") or name.endswith("pixelcnn")]


def middle(data: Dataset, split: str, n: int) -> Tensor:
    """Pixels (n, 12) of the middle, rows first: -1 and 1."""
    x = data.examples(min(n, data.size(split)), split).x.mean(1)
    top, left = (x.shape[1] - SHAPE[0]) // 2, (x.shape[2] - SHAPE[1]) // 2
    return torch.where(x[:, top : top + SHAPE[0], left : left + SHAPE[1]] > 0, 1.0, -1.0).flatten(1)


def run(bench: Bench) -> Outcome:
    rows = torch.arange(12)
    orders = {"rows": rows, "random": torch.randperm(12, generator=torch.Generator().manual_seed(0))}
    if not bench.quick:
        orders |= {"columns": rows.view(SHAPE).T.flatten(), "backwards": rows.flip(0)}
    rounds = {name: bench.pick(4, 50) * (1 if name in SLOW else 10) for name in NAMES}
    rounds["deep-nade"] = bench.pick(150, 1_200)

    def once(trial: Trial) -> dict[str, Any]:
        x, held = (middle(bench.images, split, 5_000) for split in ("train", "test"))
        found: dict[str, Any] = {"off": [], "nats": []}
        for name, size in NAMES.items():
            off, nats = [], []
            for order in orders.values():
                pixels = ((x[:, order].view(-1, *SHAPE, 1) + 1) * 127.5).numpy().astype("uint8")
                data = load(pixels, binarise="static")
                game = trial.play(make(name, **size, batch=100), data, rounds=rounds[name])
                log_p = game.log_prob(everything(data.spec)).double()
                off.append(abs(math.expm1(float(log_p.logsumexp(0)))))
                nats.append(-float(game.log_prob(held[:, order].view(-1, 1, *SHAPE)).mean()))
            found["off"].append(off)
            found["nats"].append(nats)
            if name == "deep-nade":
                network: Any = game.networks["model"]
                found |= of_any_order(network, data, trial.seed)
        return found

    def of_any_order(network: Any, data: Dataset, seed: int) -> dict[str, float]:
        A, generator = alphabet(data.spec), torch.Generator().manual_seed(seed)
        line = A.line(everything(data.spec))
        with torch.no_grad():
            each = [network.score(A, line, torch.randperm(12, generator=generator).tolist()) for _ in range(20)]
            others = torch.ones(12, 12).fill_diagonal_(0)  # all numbers known but the one that is asked for
            told = [
                A.log_prob(line, network(A.read(line), known.expand_as(line)))[:, i] for i, known in enumerate(others)
            ]
        return {"any": max(abs(math.expm1(float(log_p.double().logsumexp(0)))) for log_p in each),
                "none": abs(math.expm1(float(torch.stack(told).double().sum(0).logsumexp(0))))}  # fmt: skip

    runs = bench.each(once)
    off = np.array([found["off"] for found in runs])
    return Outcome(
        (
            below("largest distance of a sum from 1, all recipes and orders", list(off.max((1, 2))), 1e-5),
            below("the same of one deep-nade in 20 orders", [found["any"] for found in runs], 1e-5),
            above("the same where every pixel is given all others", [found["none"] for found in runs], 0.05),
        ),
        {"names": list(NAMES), "orders": list(orders), "off": off, "nats": [found["nats"] for found in runs],
         "none": [found["none"] for found in runs]},
        "Left: the sums differ from 1 by rounding alone, while a product that follows no order is off by far more. "
        "Right: each order is a different model of the same images, and some suit them a little better.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    sums, costs = panels(figure, 2, sharey=True)
    figure.set_figheight(3.6)
    off, nats = (np.median(np.asarray(told[name]), 0) for name in ("off", "nats"))
    at = np.arange(len(told["names"]))
    for k, order in enumerate(told["orders"]):
        where = at + 0.16 * (k - (len(told["orders"]) - 1) / 2)
        sums.plot(np.maximum(off[:, k], 1e-9), where, "osD^"[k], color=COLOURS[k], markersize=4, label=order)
        costs.plot(nats[:, k], where, "osD^"[k], color=COLOURS[k], markersize=4, label=order)
    sums.axvline(1e-5, color=COLOURS[7], linestyle="dashed", label="limit")
    sums.axvline(np.median(told["none"]), color=COLOURS[6], linestyle="dotted", label="given all others")
    sums.set(xscale="log", yticks=at, yticklabels=told["names"], ylim=(len(at) - 0.5, -0.5))
    labelled(sums, "|sum of p(x) over 4,096 images - 1|", "", legend=False)
    labelled(costs, "held-out images (nats each)", "", legend=False)
    figure.legend(*sums.get_legend_handles_labels(), loc="outside lower center", ncols=6)
