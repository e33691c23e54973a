"""How well does a discriminator know the ratio of two densities, and where does it break down?

    D* = p / (p + q)   so that   logit D* = log D* / (1 - D*) = log p / q
    N(0, 1) and N(m, 1):   log p / q = m^2 / 2 - m x

Discriminators are trained for growing m with a fixed number of draws, a fixed sample as in practice. The error is the
root mean square of logit D - log p / q over draws of both laws. For m = 1, laws that overlap, it must be at most 0.2
nats (0.3 in a quick run). Far apart, at m = 8, both samples are told apart without error, nothing says how sure to be
where they are, and the error must be at least ten times as large; so must that of KL(p, q) = m^2 / 2, estimated as the
mean of logit D over p. The ratio's place matters as well: at m = 2 the error where only 1 % of both laws lie must be
larger than where the middle 90 % lie.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import NonSaturating

SOURCES = ("003",)
MORE = ("Sugiyama, Suzuki and Kanamori (2012), Density Ratio Estimation in Machine Learning, Chapter 4",)
X = torch.linspace(-4, 12, 241)
SHOWN = (1.0, 2.0, 8.0)


def truth(x: torch.Tensor, m: float) -> torch.Tensor:
    return m * m / 2 - m * x


def run(bench: Bench) -> Outcome:
    means = bench.pick([1.0, 2.0, 8.0], [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
    rounds, size = bench.pick((400, 4_000), (1_500, 10_000))

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {"error": [], "KL": []}
        for m in means:
            torch.manual_seed(trial.seed)
            D = MLPReader(1, 1, 32, 2)
            p, q = torch.randn(size, 1), torch.randn(size, 1) + m
            neural_distance(D, p, q, loss=NonSaturating(), rounds=rounds, batch=512,
                            adam=Adam(lr=5e-3, schedule="cosine"), seed=trial.seed)  # fmt: skip
            x = torch.randn(20_000)
            x = torch.cat([x, m - x])  # as many of either law
            with torch.no_grad():
                miss = D(x[:, None]) - truth(x, m)
                found["error"].append(float(miss.square().mean().sqrt()))
                found["KL"].append(abs(float(D(x[:20_000, None]).mean()) - m * m / 2))
                if m == 2.0:
                    low, high = torch.quantile(x, torch.tensor([0.05, 0.95]))
                    far = (x < torch.quantile(x, 0.005)) | (x > torch.quantile(x, 0.995))
                    middle = (x > low) & (x < high)
                    found["ends"] = float((miss[far].square().mean() / miss[middle].square().mean()).sqrt())
                if m in SHOWN:
                    found[f"logit, m = {m:g}"] = D(X[:, None]).tolist()
        return found

    runs = bench.each(once)
    one, last = means.index(1.0), len(means) - 1
    return Outcome(
        (
            below("rms error of the log-ratio, m = 1", [run["error"][one] for run in runs], bench.pick(0.3, 0.2),
                  "nats"),
            *(above(f"error of the {name}, m = 8 over m = 1", [run[key][last] / run[key][one] for run in runs],
                    10.0) for name, key in (("log-ratio", "error"), ("KL(p, q)", "KL"))),
            above("m = 2: rms error of the outer 1 % over that of the middle 90 %", [run["ends"] for run in runs], 1.0),
        ),
        {"m": means, "x": X, **{name: [run[name] for run in runs] for name in runs[0] if name != "ends"}},
        "Where both laws have examples the logit is the log-ratio. Where they hardly overlap the discriminator only "
        "knows that they differ: its logit is far too small, and so is any divergence read off it.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    errors, logits = panels(figure, 2)
    curve(errors, told["m"], told["error"], "log-ratio, rms", COLOURS[0], marker="o")
    curve(errors, told["m"], told["KL"], "KL(p, q), absolute", COLOURS[1], marker="s")
    errors.plot(
        told["m"], [m * m / 2 for m in told["m"]], color=COLOURS[7], linestyle="dotted", label="KL(p, q) itself"
    )
    errors.set(yscale="log")
    labelled(errors, "distance m of the two laws (sd)", "error (nats)", "estimates break down as laws part")
    x = torch.as_tensor(told["x"])
    for m, colour in zip(SHOWN, (COLOURS[2], COLOURS[0], COLOURS[1]), strict=True):
        seen = (x > -2.6) & (x < m + 2.6)  # 99 % of either law is within
        logits.plot(x[seen], truth(x, m)[seen], color=colour, lw=3.5, alpha=0.3)
        curve(logits, x[seen].tolist(), torch.as_tensor(told[f"logit, m = {m:g}"])[:, seen], f"m = {m:g}", colour)
    logits.set(ylim=(-55, 55))
    labelled(logits, "x, as far as there are draws", "log p / q (nats)", "wide: true, thin: logit of D")
