"""What the adversarial systems reach on MNIST of 32x32 pixels in minutes of one core.

    python benchmarks/mnist.py --data PATH [--systems cgan,ac,ali,bigan,improved-gan,alone] [--minutes 15] [--jobs 2]

cgan and its preset ac: the share of 2,000 samples that a classifier, trained on the data, tells as the label they were
given. ali and bigan: the share of the test images whose reconstruction the classifier tells as the image's label, and
the accuracy on test images of a linear classifier of 100 labelled images on the encoder's features, against one on
pixels (means over 10 draws of the labelled). improved-gan: the test error with 100 labels; alone: that of the same
classifier without the other images, for 2,000 rounds. Intervals are Wilson's at 95%, over test images or samples: they
tell nothing of seeds, of which there is one. Rounds are what fits into the minutes of CPU time of a process with one
thread, found by a short trial; sheets of samples and reconstructions go to --out.
"""

import argparse
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from scipy.stats import binomtest
from torch import Tensor

import adversaria as adv
from adversaria.claims.bigan import features, judged, read, reconstructed
from adversaria.claims.cgan import MNIST, belongs
from adversaria.claims.improved_gan import wrong
from adversaria.claims.tools import eye, told
from adversaria.data import Dataset
from adversaria.game import Game, Recipe, Referee, play
from adversaria.runs.sheets import sheet

ROWS = 10

FAST = {"discriminator": {"lr": 5e-4}, "generators": {"lr": 1e-3}}
NOISE = MNIST["parts"]
"""Without noise on its images the discriminator wins: what ali has learned in 3,000 rounds is lost again."""
FALL = {name: {**rate, "schedule": "linear", "hold": 0.3} for name, rate in FAST.items()}
SYSTEMS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "cgan": ("cgan", None, MNIST),
    "ac": ("cgan", "ac", MNIST),
    "ali": ("ali", None, {"width": 16, "latent": 16, "average": 0.998, "parts": NOISE, **FALL}),
    "bigan": ("bigan", None, {"width": 16, "average": 0.999, **FAST}),
    "improved-gan": ("improved-gan", None, {}),
    "alone": ("improved-gan", None, {"unsupervised": 0.0, "rounds": 2_000}),
}


def main() -> None:
    """Runs the systems, one a process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/mnist"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = adv.load(given.data, size=given.size)
    print(f"{data.name} {data.spec.shape}, classifier with accuracy {eye(data).accuracy:.4f}", flush=True)
    tasks = [(name, given) for name in given.systems.split(",")]
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=1) as pool:
        for line in pool.imap(run, tasks, chunksize=1):
            print(line, flush=True)


def run(task: tuple[str, argparse.Namespace]) -> str:
    """Trains and measures one system."""
    name, given = task
    torch.set_num_threads(1)
    data = adv.load(given.data, size=given.size)
    recipe_name, preset, changed = SYSTEMS[name]
    rounds = changed.get("rounds")
    if rounds is None:
        recipe = adv.recipe(recipe_name, preset, **changed)
        few, more = (trained(recipe, data, n)[1] for n in (10, 60))
        rounds = int(60 * given.minutes / (more - few) * 50)
    game, seconds = trained(adv.recipe(recipe_name, preset, **changed | {"rounds": rounds}), data, rounds)
    found = MEASURES[recipe_name](game, data, given.out / f"{name}.png")
    return f"{name}: {rounds:,} rounds in {seconds / 60:.1f} min; {found}"


def trained(recipe: Recipe, data: Dataset, rounds: int) -> tuple[Game, float]:
    """The game after so many rounds, and their CPU seconds."""
    arranged = recipe.arrange(data)
    torch.manual_seed(0)
    game = recipe.build(arranged.spec)
    started = time.process_time()
    for _ in play(game.stage(), arranged.batches(recipe.batch, seed=0), referee=Referee(game.stage(), rounds)):
        pass
    return game, time.process_time() - started


def show(x: Tensor, data: Dataset, path: Path) -> None:
    """Writes images as a sheet of ROWS columns."""
    path.write_bytes(sheet(data.spec, data.spec.to_user(x), ROWS))


def share(right: Tensor) -> str:
    """A share with its interval."""
    told = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return f"{float(right.float().mean()):.4f} [{told.low:.4f}, {told.high:.4f}]"


def conditional(game: Game, data: Dataset, picture: Path) -> str:
    """Agreement of samples with their labels."""
    show(game.sample(100, torch.arange(100) % data.spec.classes, seed=0), data, picture)
    return f"samples told as their label: {share(belongs(game, data))}"


def inference(game: Game, data: Dataset, picture: Path) -> str:
    """Reconstructions told as the label, and the linear probe."""
    held = judged(data)
    assert held.labels is not None
    y = reconstructed(game, held.x)
    pairs = [torch.cat([held.x[i : i + ROWS], y[i : i + ROWS]]) for i in range(0, 5 * ROWS, ROWS)]
    show(torch.cat(pairs), data, picture)
    show(game.sample(100, seed=0), data, picture.with_suffix(".samples.png"))
    on_features, on_pixels = read(lambda x: features(game, x), data), read(lambda x: x, data)
    return (f"reconstructions told as the label: {share(told(y, data) == held.labels)}; "
            f"100 labels: {on_features:.4f} on features, {on_pixels:.4f} on pixels")  # fmt: skip


def classifier(game: Game, data: Dataset, picture: Path) -> str:
    """The test error."""
    if len(game.stage().players) > 1:
        show(game.sample(100, seed=0), data, picture)
    return f"test error: {share(wrong(game, data))}"


MEASURES = {"cgan": conditional, "ali": inference, "bigan": inference, "improved-gan": classifier}

if __name__ == "__main__":
    main()
