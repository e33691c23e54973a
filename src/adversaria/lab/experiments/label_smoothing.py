"""Does one-sided label smoothing only lower the discriminator's answer, and would smoothing both labels bend it?

    target on data 1 - a, on samples 0:   D* = (1 - a) pi / (pi + p)
    target on data 1 - a, on samples b:   D* = ((1 - a) pi + b p) / (pi + p)  ->  b where p is large and pi small

Data are N(2, 1), samples N(-1.5, 1), a = b = 0.1. Discriminators are trained without smoothing, with one-sided
smoothing, and with both labels smoothed. Each must follow its closed form within 0.03 where pi + p has 99 % of its
mass (0.06 in a quick run). What it does to the generator: log D one-sided is log D plain and a constant, so the
generator's slope d log D / dx stays what it was. Where pi is 1/300 to 1/30 of p, samples far from the data, the
trained one-sided D must keep 0.8 to 1.25 times the plain slope; with both labels smoothed the closed form leaves a
twelfth of it on average, and at most a quarter may be left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.adversarial import mostly_real
from adversaria.objectives.losses import NonSaturating, Terms

SOURCES = ("000",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 3.4",)
PI, P = Normal(2.0, 1.0), Normal(-1.5, 1.0)
A = B = 0.1
X = torch.linspace(-3.8, 4.3, 163)
"""99 % of the mass of pi + p lie between: 2.3 sd beyond either centre."""


@dataclass(frozen=True)
class BothSmoothed(NonSaturating):
    """One-sided smoothing as the library has it, and the same on samples: their logits, mirrored, have target 1 - b."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Both targets smoothed."""
        return super().discriminator(real, fake) | {"fake": mostly_real(-fake, B)}


LOSSES = {"plain": NonSaturating(), "one-sided": NonSaturating(smooth=A), "both": BothSmoothed(smooth=A)}


def closed() -> dict[str, Tensor]:
    pi, p = PI.log_prob(X).exp(), P.log_prob(X).exp()
    return {"plain": pi / (pi + p), "one-sided": (1 - A) * pi / (pi + p), "both": ((1 - A) * pi + B * p) / (pi + p)}


def run(bench: Bench) -> Outcome:
    rounds, batch = bench.pick((300, 1_000), (1_500, 2_048))
    share = (PI.log_prob(X) - P.log_prob(X)).exp()
    far = (share > 1 / 300) & (share < 1 / 30)
    best = closed()

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, loss in LOSSES.items():
            torch.manual_seed(trial.seed)
            D = MLPReader(1, 1, 64, 2, torch.nn.Tanh)
            neural_distance(D, lambda n: PI.sample((n, 1)), lambda n: P.sample((n, 1)), loss=loss, rounds=rounds,
                            batch=batch, adam=Adam(lr=1e-2, schedule="cosine"), seed=trial.seed)  # fmt: skip
            x = X[:, None].clone().requires_grad_()
            answer = torch.sigmoid(D(x))
            (slope,) = torch.autograd.grad(answer.log().sum(), x)
            found[name] = answer.tolist()
            found[f"slope, {name}"] = slope[:, 0].tolist()
            found[f"error, {name}"] = float((answer.detach() - best[name]).abs().max())
            found[f"far, {name}"] = float(slope[far].mean())
        return found

    runs = bench.each(once)
    limit = bench.pick(0.06, 0.03)
    return Outcome(
        (
            *(below(f"{name}: largest error of D where the mass is", [run[f"error, {name}"] for run in runs], limit)
              for name in LOSSES),
            near("one-sided: slope of log D where p outweighs pi, over the plain one",
                 [run["far, one-sided"] / run["far, plain"] for run in runs], 1.025, 0.225),
            below("both: slope of log D where p outweighs pi, over the plain one",
                  [run["far, both"] / run["far, plain"] for run in runs], 0.25),
        ),
        {"x": X, "closed": best, "far": [float(X[far].min()), float(X[far].max())],
         **{name: [run[name] for run in runs] for name in runs[0] if not name.startswith(("error", "far"))}},
        "One-sided smoothing lowers D and leaves the slope of log D, which is what the generator follows. With both "
        "labels smoothed D is 0.1 among samples far from the data, flat, and the generator learns nothing there.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    answers, slopes = panels(figure, 2)
    x = torch.as_tensor(told["x"])
    for law, colour, label in ((PI, 4, "density pi"), (P, 5, "density p")):
        answers.fill_between(x, 0, law.log_prob(x).exp(), color=COLOURS[colour], alpha=0.3, lw=0, label=label)
    names = {"plain": "no smoothing", "one-sided": "one-sided", "both": "both labels"}
    for (name, label), shade in zip(names.items(), (COLOURS[0], COLOURS[2], COLOURS[1]), strict=True):
        answers.plot(x, torch.as_tensor(told["closed"][name]), color=shade, lw=3.5, alpha=0.3)
        curve(answers, x.tolist(), told[name], f"D, {label}", shade, linestyle="dashed")
        curve(slopes, x.tolist(), told[f"slope, {name}"], label, shade)
    answers.set(ylim=(0, 1.6), yticks=[0, 0.25, 0.5, 0.75, 1])
    labelled(answers, "x", "D(x), density", "dashed: trained, wide: closed form")
    answers.legend(ncols=2, loc="upper center", fontsize=7)
    slopes.axvspan(*told["far"], color="#dddddd", lw=0)
    labelled(slopes, "x", "d log D / dx", "what the generator follows (grey: p >> pi)")
