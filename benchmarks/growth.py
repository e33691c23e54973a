"""Progressive growing: wall-clock to the same Fréchet distance (trained features) at 32 pixels, against full size.

    python benchmarks/growth.py --data PATH [--size 32] [--minutes 9] [--seeds 2] [--jobs 2]

Each seed trains `progressive-gan` twice, grown and with `grow=False`, for the same time; the defaults take about 25
minutes on two cores, with MNIST. The clock is the process's CPU time, with one thread, less that of evaluations and of
sampling for them: seconds on a quiet core, and the same on a busy one. Samples are the averaged generator's, enlarged
while it is smaller than the data. For distances that every run has reached, from eight times the best such down by
roots of two: the seconds until the first evaluation at or below, as a geometric mean over seeds with a 95% t-interval,
and the ratio, taken seed by seed. With two seeds an interval is very wide; the seeds' own ratios stand beside it.
"""

import argparse
import math
import multiprocessing
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import Dataset
from adversaria.evaluation.trained import trained
from adversaria.game import Game, Recipe, Referee, plan, play
from adversaria.metrics.frechet import frechet_distance

Curve = list[tuple[float, float]]
"""Seconds and distance."""


class Clock:
    """CPU seconds of this process, but for those spent inside `without`."""

    def __init__(self) -> None:
        self.out, self.begun = 0.0, time.process_time()

    def __call__(self) -> float:
        """Seconds so far."""
        return time.process_time() - self.begun - self.out

    def __enter__(self) -> None:
        self.paused = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.out += time.process_time() - self.paused


def curve(recipe: Recipe, data: Dataset, seed: int, every: float, n: int, limit: float = math.inf) -> Curve:
    """Trains until the rounds or `limit` seconds are over; the distance about every `every` seconds, and at the end."""
    features = trained(data)
    real = features(data.examples(min(n, data.size("test")), "test", seed=0).x)

    def distance(game: Game) -> float:
        parts = [game.sample(min(500, n - i), seed=i) for i in range(0, n, 500)]
        return frechet_distance(real=real, generated=features(torch.cat(parts))).value

    torch.manual_seed(seed)
    game, found, clock = recipe.build(data.spec), Curve(), Clock()
    for i, (stage, rounds) in enumerate(zip(game.stages, plan(game.stages, recipe.rounds), strict=True)):
        for _ in play(stage, data.batches(recipe.batch, seed=seed + i), referee=Referee(stage, rounds)):
            if clock() >= every * (len(found) + 1) or clock() >= limit:
                with clock:
                    found.append((clock(), distance(game)))
            if clock() >= limit:
                return found
    with clock:
        found.append((clock(), distance(game)))
    return found


def fitting(recipe: Recipe, data: Dataset, seconds: float) -> int:
    """The rounds, over all stages, that take about as many seconds: a stage's cost is that of five of its rounds."""
    game, batches, costs = recipe.build(data.spec), data.batches(recipe.batch, seed=0), []
    for stage in game.stages:
        clocks = [time.process_time() for _ in play(stage, batches, rounds=6)]
        costs.append((clocks[-1] - clocks[0]) / 5 * stage.share)
    return max(len(costs), round(seconds * sum(stage.share for stage in game.stages) / sum(costs)))


def job(task: tuple[str, int, int, int, float, int]) -> tuple[Curve, Curve]:
    """One seed: grown, then at full size for as long."""
    source, size, seed, rounds, every, n = task
    torch.set_num_threads(1)
    data = adv.load(source, size=size)
    grown = curve(adv.recipe("progressive-gan", rounds=rounds), data, seed, every, n)
    full = curve(adv.recipe("progressive-gan", rounds=10**6, grow=False), data, seed, every, n, limit=grown[-1][0])
    return grown, full


def reached(found: Curve, distance: float) -> float:
    """Seconds until the first evaluation at or below a distance."""
    return next((seconds for seconds, value in found if value <= distance), math.inf)


def told(values: list[float]) -> str:
    """Geometric mean and the 95% interval of the mean logarithm."""
    logs = np.log(values)
    if len(logs) < 2:
        return f"{math.exp(logs[0]):.3g}"
    reach = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
    return f"{math.exp(logs.mean()):.3g} [{math.exp(logs.mean() - reach):.3g}, {math.exp(logs.mean() + reach):.3g}]"


def main(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    data = adv.load(options.data, size=options.size)
    print(f"{data.name}, {data.spec.shape}; features: {trained(data).note}", flush=True)
    rounds = options.rounds or fitting(adv.recipe("progressive-gan"), data, 60 * options.minutes)
    print(f"{rounds} rounds grown, {options.seeds} seeds, torch {torch.__version__}", flush=True)
    tasks = [(options.data, options.size, seed, rounds, options.every, options.n) for seed in range(options.seeds)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        runs = pool.map(job, tasks, chunksize=1)
    for seed, pair in enumerate(runs):
        for name, found in zip(("grown", "full size"), pair, strict=True):
            line = "  ".join(f"{seconds:.0f}s {value:.3g}" for seconds, value in found)
            print(f"seed {seed}, {name}: {line}")
    best = max(min(value for _, value in found) for pair in runs for found in pair)
    print(f"\n{'distance':>10}{'grown, seconds':>28}{'full size, seconds':>28}{'full size / grown':>28}  by seed")
    for distance in (best * 2 ** (k / 2) for k in reversed(range(7))):
        if all(found[0][1] <= distance for pair in runs for found in pair):
            continue  # before the first evaluation: nothing to tell
        times = [[reached(found, distance) for found in pair] for pair in runs]
        ratios = [full / grown for grown, full in times]
        columns = "".join(f"{told(list(column)):>28}" for column in (*zip(*times, strict=True), ratios))
        print(f"{distance:>10.3g}{columns}  ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")
    last = [[found[-1][1] for found in pair] for pair in runs]
    print("at the end: grown " + ", ".join(f"{a:.3g}" for a, _ in last) + "; full size "
          + ", ".join(f"{b:.3g}" for _, b in last))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="images: a path or a name")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=9.0, help="of training each way, about, on a quiet machine")
    parser.add_argument("--rounds", type=int, help="of the grown run, in place of --minutes")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between evaluations")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--n", type=int, default=1_000, help="samples of an evaluation, and real images")
    main(parser.parse_args())
