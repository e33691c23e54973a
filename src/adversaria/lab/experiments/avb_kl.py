"""Is the mean logit of a discriminator the KL divergence from the prior, even for posteriors without a density?

    KL(q, p) = E_q log q / p = E_q log D / (1 - D) = E_q logit D    for the best D = q / (q + p)

Gaussian posteriors in two dimensions, for which the divergence from N(0, I) has a closed form, then an implicit one: a
random network's outputs, with no density to write down. For the Gaussians the trained discriminator's mean logit must
be within 0.1 nats of the closed form (0.15 throughout in a quick run). The implicit one's is compared with an estimate
of another kind, from distances of nearest neighbours, within 0.1. The adaptive contrast, in which D compares q not
with p but with the normal of q's own moments, must give the same within 0.1, and its D has less to learn: its own part
must be smaller than the whole.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.claims.avb import entropy
from adversaria.claims.check import Trial
from adversaria.distributions import kl_from_standard, log_normal
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.metrics.neural import Draw
from adversaria.nn.implicit import NoiseBasis
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import NonSaturating

SOURCES = ("003",)
MORE = ("Mescheder, Nowozin and Geiger (2017), arXiv:1701.04722",)
SLIP = "003 writes the mean of D / (1 - D); the divergence is the mean of its logarithm. The figure shows both."
POSTERIORS = [(0.5, 0.9), (1.0, 0.7), (1.5, 0.5)]
"""Mean and standard deviation in both dimensions."""
DRAWS = 20_000


def gaussian(mean: float, sd: float, n: int) -> Tensor:
    return mean + sd * torch.randn(n, 2)


def run(bench: Bench) -> Outcome:
    rounds, batch = bench.pick((300, 512), (2_000, 1_024))

    def once(trial: Trial) -> dict[str, Any]:
        def estimate(q: Draw) -> tuple[float, float]:
            """E_q logit D, and E_q D / (1 - D)."""
            torch.manual_seed(trial.seed)
            D = MLPReader(2, 1, 64, 2, nn.SiLU)
            neural_distance(D, q, lambda n: torch.randn(n, 2), loss=NonSaturating(), rounds=rounds, batch=batch,
                            adam=Adam(lr=1e-2, schedule="cosine"), seed=trial.seed)  # fmt: skip
            with torch.no_grad():
                logits = D(q(DRAWS))
            return float(logits.mean()), float(logits.exp().mean())

        gaussians = [estimate(partial(gaussian, m, s)) for m, s in POSTERIORS]
        torch.manual_seed(trial.seed)
        basis = NoiseBasis(3, 2, 2, 16)

        def implicit(n: int) -> Tensor:
            with torch.no_grad():
                return 0.8 + 0.7 * basis(n).sum(1)

        z = implicit(100_000)
        mean, sd = z.mean(0), z.std(0)
        own, _ = estimate(lambda n: (implicit(n) - mean) / sd)
        known = float((log_normal(z, mean, sd.log()) - log_normal(z)).mean())
        neighbours = -entropy(z[:DRAWS]) - float(log_normal(z[:DRAWS]).mean())
        return {"gaussians": [logit for logit, _ in gaussians], "ratios": [ratio for _, ratio in gaussians],
                "implicit": estimate(implicit)[0], "neighbours": neighbours, "adaptive": own + known, "own": own,
                "z": z[:2_000].tolist()}  # fmt: skip

    runs = bench.each(once)
    truth = [float(kl_from_standard(torch.full((1, 2), m), torch.full((1, 2), s).log()).sum()) for m, s in POSTERIORS]
    off = [max(abs(a - b) for a, b in zip(run["gaussians"], truth, strict=True)) for run in runs]
    limit = bench.pick(0.15, 0.1)
    return Outcome(
        (
            below("Gaussian posteriors: largest error of E_q logit D", off, limit, "nats"),
            below("implicit posterior: difference of E_q logit D from nearest neighbours",
                  [abs(run["implicit"] - run["neighbours"]) for run in runs], limit, "nats"),
            below("implicit posterior: difference of the adaptive contrast from nearest neighbours",
                  [abs(run["adaptive"] - run["neighbours"]) for run in runs], limit, "nats"),
            below("implicit posterior: what the adaptive contrast's D has to learn, over the whole",
                  [run["own"] / run["neighbours"] for run in runs], 1.0),
        ),
        {"truth": truth, "z": runs[0]["z"],
         **{name: [run[name] for run in runs] for name in runs[0] if name not in ("z", "own")}},
        "The mean of log D / (1 - D) lies on the diagonal; the mean of D / (1 - D), which is no divergence, leaves it "
        "at once. The same estimate works for the cloud on the right, which has no density to write down.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    values, cloud = panels(figure, 2)
    figure.set_size_inches(7.6, 3.6)
    truth = told["truth"]
    values.plot([0, 4], [0, 4], color=COLOURS[7], lw=0.8)
    for i, (run, ratios) in enumerate(zip(told["gaussians"], told["ratios"], strict=True)):
        first = i == 0
        values.plot(truth, run, "o", color=COLOURS[0], label="mean of log D / (1 - D)" if first else None)
        values.plot(truth, ratios, "x", color=COLOURS[3], label="mean of D / (1 - D)" if first else None)
        values.plot(told["neighbours"][i], told["implicit"][i], "s", color=COLOURS[1],
                    label="implicit posterior" if first else None)  # fmt: skip
        values.plot(told["neighbours"][i], told["adaptive"][i], "^", color=COLOURS[2],
                    label="the same, adaptive contrast" if first else None)  # fmt: skip
    values.set(ylim=(0, 8), xlim=(0, 4))
    labelled(values, "KL(q, p), closed form or nearest neighbours (nats)", "by a discriminator (nats)")
    values.legend(loc="upper left")
    prior, z = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0)), torch.as_tensor(told["z"])
    cloud.plot(*prior.T, ".", ms=2, color=COLOURS[7], label="prior")
    cloud.plot(*z.T, ".", ms=2, color=COLOURS[1], label="implicit posterior")
    cloud.set(aspect="equal", ylim=(-4, 5.5))
    labelled(cloud, "first number of z", "second number of z")
