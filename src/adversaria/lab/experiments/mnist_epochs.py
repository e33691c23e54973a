"""What does a GAN draw after 1, 5 and 10 epochs?

    coverage = number of classes that a classifier tells among 500 samples;   KL = sum_k p_k log(p_k / w_k)

A DCGAN draws the same noise after 1, 5 and 10 epochs. Under each sheet stand the classes covered and the KL divergence
of the classes told from equal shares. An epoch is one pass over the training images, and at least 94 rounds where they
are few (a tenth of an epoch of MNIST). After ten epochs all classes must be covered (8 of 10 in a quick run, whose
epochs have 30 rounds), and the squared energy distance to held-out images must be less than half of that after one.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance, told
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import panels, sheet
from adversaria.metrics import class_coverage

SOURCES = ("004",)
MORE = ("Radford, Metz and Chintala (2016), arXiv:1511.06434",)
EPOCHS, N = (1, 5, 10), 500


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> list[dict[str, Any]]:
        data = trial.data
        quick: dict[str, Any] = {"width": 16, "adam": {"lr": 1e-3, "betas": (0.5, 0.999)}}
        recipe = make("dcgan", **bench.pick(quick, {"width": 32}))
        epoch = bench.pick(30, max(94, data.size() // recipe.batch))
        held = data.examples(min(data.size("test"), 1_000), "test").x
        seen: list[dict[str, Any]] = []

        def watch(game: Game, record: Round) -> None:
            if record.number in [epoch * k for k in EPOCHS]:
                x = game.sample(N, seed=0).cpu()
                found = class_coverage(labels=told(x, data), classes=data.spec.classes)
                seen.append({"sheet": x[:60], "classes": found["modes"].value, "KL": found["KL"].value,
                             "energy": energy_distance(held, x)})  # fmt: skip

        trial.play(recipe, rounds=10 * epoch, watch=watch)
        return seen

    runs = bench.each(once)
    k = bench.images.spec.classes
    return Outcome(
        (
            above("classes covered after ten epochs", [seen[2]["classes"] for seen in runs], bench.pick(0.8 * k, k)),
            below("squared energy distance after ten epochs, over that after one",
                  [seen[2]["energy"] / seen[0]["energy"] for seen in runs], 0.5),
        ),
        {**{f"sheet {epoch}": runs[0][i]["sheet"] for i, epoch in enumerate(EPOCHS)},
         **{name: [[at[name] for at in seen] for seen in runs] for name in ("classes", "KL", "energy")},
         "number of classes": k},
        "The same noise after 1, 5 and 10 epochs. Look at the sheets before the numbers: first strokes, then digits.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    axes = panels(figure, 3)
    for i, (epoch, axis) in enumerate(zip(EPOCHS, axes, strict=True)):
        sheet(axis, told[f"sheet {epoch}"])
        axis.set_title(f"after {epoch} {'epoch' if epoch == 1 else 'epochs'}")
        covered, kl, energy = (told[name][0][i] for name in ("classes", "KL", "energy"))
        axis.set_xlabel(f"{covered:g} of {told['number of classes']} classes, KL {kl:.2f} nats\nenergy {energy:.2g}")
