"""Is the place of the largest log pi + Gumbel noise a draw from the categorical law pi?

    g_k = -log(-log u_k),   u uniform on [0, 1]:   P(argmax_k (log pi_k + g_k) = k) = pi_k

Laws pi of 2 to 10 categories are drawn at random (flat Dirichlet). By quadrature, P(argmax = k) is the integral of the
density of log pi_k + g_k times the distribution functions of all others; it must be pi_k to 1e-9. Draws are by the
gumbel-vae's own code. Pearson's chi-squared test is made for each pi: if the claim holds its p-values are uniform, so
that the Kolmogorov-Smirnov test of that must not reject at 1 in 1,000, and the least of M p-values, times M, must not
be below 1 in 100. The tests must be able to fail: with normal noise of the same variance, which is wrong by 0.01 or
0.02 for most pi, 9 in 10 of them must reject at 1 in 100.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.distributions import line
from adversaria.lab.bench import Bench, Outcome, above, near
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.recipes.quantised.gumbel_vae import GumbelVAE

SOURCES = ("003",)
MORE = ("Jang, Gu and Poole (2017), arXiv:1611.01144, Section 2.1", "Maddison, Mnih and Teh (2017), arXiv:1611.00712")
SD = math.pi / math.sqrt(6)
"""Of Gumbel noise."""
FEW = 5.0
"""Categories expected less often are counted together, as is usual with this test."""
PLACES = line(-12.0, 40.0, 100)


def by_quadrature(log_pi: Tensor) -> Tensor:
    """P(argmax = k) for each k: the integral of f(x - log pi_k) times F(x - log pi_j) for all other j."""
    away = PLACES.points - log_pi  # (points, categories)
    log_F = -(-away).exp()
    log_f = log_F - away
    return (PLACES.weights[:, None] * (log_f - log_F + log_F.sum(1, keepdim=True)).exp()).sum(0)


def p_value(counts: Tensor, pi: Tensor) -> float:
    """Of Pearson's test."""
    expected = pi * counts.sum()
    rare = expected < FEW
    if rare.any():
        counts, expected = (torch.cat([part[~rare], part[rare].sum()[None]]) for part in (counts, expected))
    kept = expected > 0
    return float(stats.chisquare(counts[kept], expected[kept] * counts.sum() / expected.sum()).pvalue)


def run(bench: Bench) -> Outcome:
    laws, n = bench.pick((60, 50_000), (300, 50_000))
    recipe = make("gumbel-vae")
    assert isinstance(recipe, GumbelVAE)

    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        found: dict[str, Any] = {"gumbel": [], "normal": [], "pi": [], "frequency": [], "other": [], "off": []}
        for i in range(laws):
            K = 2 + i % 9
            pi = torch.distributions.Dirichlet(torch.ones(K).double()).sample()
            log_pi = pi.log().float()
            soft = recipe.relaxed(log_pi.view(1, K, 1, 1).expand(n, K, 1, 1).contiguous(), torch.zeros(()))
            drawn = soft.argmax(1).flatten().bincount(minlength=K).double()
            wrong = (log_pi + SD * torch.randn(n, K)).argmax(1).bincount(minlength=K).double()
            found["gumbel"].append(p_value(drawn, pi))
            found["normal"].append(p_value(wrong, pi))
            found["pi"] += pi.tolist()
            found["frequency"] += (drawn / n).tolist()
            found["other"] += (wrong / n).tolist()
            found["off"].append(float((by_quadrature(pi.log()) - pi).abs().max()))
        return found

    runs = bench.each(once)
    uniform = [float(stats.kstest(found["gumbel"], "uniform").pvalue) for found in runs]
    rejected = [float(np.mean(np.array(found["normal"]) < 0.01)) for found in runs]
    return Outcome(
        (
            near("largest error of P(argmax = k) by quadrature", [max(found["off"]) for found in runs], 0.0, 1e-9,
                 exact="P = pi in closed form"),
            above("p-value of the p-values being uniform", uniform, 1e-3),
            above("least p-value, times their number", [min(found["gumbel"]) * laws for found in runs], 0.01),
            above("share of the pi for which normal noise is rejected", rejected, 0.9),
        ),
        {name: [found[name] for found in runs] for name in ("gumbel", "normal")}
        | {name: runs[0][name] for name in ("pi", "frequency", "other")} | {"draws": n},
        "With Gumbel noise the test's p-values lie on the diagonal, as they do where nothing is wrong, and frequencies "
        "differ from pi by no more than chance. Normal noise of the same variance chooses likely categories a little "
        "too rarely or too often, and nearly every test notices.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    values, errors = panels(figure, 2)
    for name, colour in (("gumbel", 0), ("normal", 1)):
        for i, found in enumerate(told[name]):
            x = np.sort(found)
            values.step(np.r_[0, x, 1], np.r_[0, np.arange(1, len(x) + 1) / len(x), 1], where="post",
                        color=COLOURS[colour], label=f"{name} noise" if i == 0 else None, linewidth=1.1)  # fmt: skip
    values.plot([0, 1], [0, 1], color=COLOURS[7], linestyle="dashed", label="uniform")
    labelled(values, "p-value of the chi-squared test", "share of laws pi below it")
    pi = np.array(told["pi"])
    for name, key, colour in (("normal noise", "other", 1), ("gumbel noise", "frequency", 0)):
        errors.plot(pi, 100 * (np.array(told[key]) - pi), ".", color=COLOURS[colour], markersize=3, label=name)
    at = np.linspace(0, 1, 201)
    band = 100 * 1.96 * np.sqrt(at * (1 - at) / told["draws"])
    errors.fill_between(at, -band, band, color=COLOURS[7], alpha=0.35, linewidth=0, label="95% of chance")
    labelled(errors, "pi_k", "frequency less pi_k (percentage points)")
