"""What does the Inception Score reward, and to what is it blind?

    IS = exp E KL(p(y | x) || p(y)),   log IS = H(p(y)) - E H(p(y | x)),   1 <= IS <= number of classes

A classifier of the data's own classes takes Inception's place. Four sets of 500 are scored: held-out real images; one
training image of each class, repeated, which is the worst collapse within classes and must score as high as real images
do (blind to it); the held-out images without one class, which must fall by the factor 9 / 10 within 0.05; and uniform
noise, which must score below 3 if the classifier is unsure of what it never saw. Beside it stands what the score does
not see: the share of held-out images near a sample (coverage), and the Vendi score, the effective number of images.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.claims.check import Trial
from adversaria.claims.tools import eye
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, labelled, panels, sheet
from adversaria.metrics import classifier_score, coverage, vendi_score

SOURCES = ("002",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 4", "Barratt and Sharma (2018), arXiv:1801.01973")
SLIP = "002, 16.4.4: the logarithm of the score is H(p(y)) - E H(p(y | x)): the entropies in this order."
SETS = ("held-out", "one a class", "one class less", "noise")


def run(bench: Bench) -> Outcome:
    features = eye(bench.images)
    logits = features.logits
    assert logits is not None

    def once(trial: Trial) -> dict[str, Any]:
        data, k = trial.data, trial.data.spec.classes
        held = data.examples(min(data.size("test") + data.size("valid"), 500), "train", seed=trial.seed)
        fresh = data.examples(min(data.size("test"), 500), "test")
        assert fresh.labels is not None and held.labels is not None
        torch.manual_seed(trial.seed)
        ones = torch.stack([held.x[held.labels == c][trial.seed % 10] for c in range(k)])
        even = balanced(held.x, held.labels, range(k))
        sets = {"held-out": even, "one a class": ones.repeat(-(-len(even) // k), 1, 1, 1)[: len(even)],
                "one class less": balanced(held.x, held.labels, range(k - 1)),
                "noise": torch.rand_like(even) * 2 - 1}  # fmt: skip
        real = features(fresh.x)
        told: dict[str, Any] = {"sheet": torch.cat([x[torch.randperm(len(x))[:10]] for x in sets.values()])}
        with torch.no_grad():
            told["score"] = [classifier_score(logits=logits(x)).details["raw"] for x in sets.values()]
            p = logits(even).softmax(1)
        entropies = torch.special.entr(p.mean(0)).sum() - torch.special.entr(p).sum(1).mean()
        told["identity"] = math.log(told["score"][0]) - float(entropies)
        told["Vendi"] = [vendi_score(generated=features(x)).value for x in sets.values()]
        told["coverage"] = [coverage(real=real, generated=features(x)).value for x in sets.values()]
        return told

    runs = bench.each(once)
    scores = [run["score"] for run in runs]
    k = bench.images.spec.classes
    return Outcome(
        (
            above("score of one image a class, repeated, over that of real images", [s[1] / s[0] for s in scores],
                  0.98),
            below("its effective number of images, over that of real images",
                  [run["Vendi"][1] / run["Vendi"][0] for run in runs], 0.98),
            near("score without one class, over that with all", [s[2] / s[0] for s in scores], (k - 1) / k, 0.05,
                 exact="of a perfect classifier"),
            below("score of uniform noise", [s[3] for s in scores], 3.0),
            near("log score less (H(p(y)) - E H(p(y | x)))", [run["identity"] for run in runs], 0.0, 1e-4, "nats"),
        ),
        {"sheet": runs[0]["sheet"], **{name: [run[name] for run in runs] for name in ("score", "Vendi", "coverage")}},
        "One image a class, again and again, scores like real images; its coverage says what the score can't see. A "
        "classifier can be sure of noise, too: then noise scores.",
    )  # fmt: skip


def balanced(x: Tensor, labels: Tensor, classes: range) -> Tensor:
    """As many images of each class, so that the classes' shares are equal."""
    n = min(int((labels == c).sum()) for c in classes)
    return torch.cat([x[labels == c][:n] for c in classes])


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    images, scores, seen = panels(figure, 3, width_ratios=[1, 1, 1])
    sheet(images, told["sheet"])
    images.set_title("\n".join(f"row {i + 1}: {name}" for i, name in enumerate(SETS)))
    for axis, name, colour, y in ((scores, "score", 0, "classifier score"), (seen, "coverage", 1, "coverage")):
        axis.bar(range(4), torch.tensor(told[name]).median(0).values.numpy(), color=COLOURS[colour])
        axis.set_xticks(range(4), [name.replace(" ", "\n", 1) for name in SETS], fontsize=7)
        labelled(axis, "", y)
