"""Do the tests hold their level, and do the intervals cover? A table, and exit code 1 where one doesn't.

    python benchmarks/calibration.py [--runs 500] [--jobs 2] [--n 200]

Type-I error: share of p < 0.05 among pairs of samples of one law; it should lie in [0.03, 0.07] over 500 runs. Tests on
counts are conservative by nature: of these only the upper end counts. Coverage: share of 95% intervals that hold the
truth where laws differ; it should lie in [0.90, 0.98]. For the Fréchet and the kernel distance the truth is that of
the laws (from 400,000 examples); for numbers whose value belongs to a sample size it is the mean over all runs.
Intervals marked (given) hold given something that is drawn anew here, a classifier or a training set; they don't count.
Laws in 8 dimensions: normal, ReLU of a normal (as features are), Student's t with 5 degrees of freedom.
"""

import argparse
import math
import multiprocessing
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor

from adversaria.diagnose.periods import cycling
from adversaria.errors import UserError
from adversaria.metrics.balls import manifold
from adversaria.metrics.bins import bins_test
from adversaria.metrics.c2st import classifier_test
from adversaria.metrics.class_score import classifier_score
from adversaria.metrics.copying import authenticity, data_copying, neighbour_ratio
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.frechet import frechet_distance, moments, raw_frechet
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.nearest_test import nearest_neighbour_test
from adversaria.metrics.support import birthday
from adversaria.metrics.transport import sliced_wasserstein
from adversaria.metrics.two_sample import energy_test, mmd_test
from adversaria.metrics.vendi import vendi_score

D = 8
MIX = torch.from_numpy(np.random.default_rng(7).standard_normal((D, D)) / D**0.5)
COUNTS = ("near copies", "birthday")
"""Numbers that are counts: conservative tests, wide intervals."""


def draw(law: str, n: int, rng: np.random.Generator, shift: float = 0.0) -> Tensor:
    """(n, 8) of a law; `shift` moves and widens it."""
    if law == "t5":
        x = torch.from_numpy(rng.standard_t(5, (n, D)))
    else:
        x = torch.from_numpy(rng.standard_normal((n, D))) @ MIX
        x = x.clamp_min(0) + 0.05 * torch.from_numpy(rng.standard_normal((n, D))) if law == "relu" else x
    return x * (1 + shift / 2) + shift


def tests(law: str, n: int, seed: int) -> dict[str, float]:
    """p of every test on two samples of one law."""
    rng = np.random.default_rng([seed, 1])
    x, y, train = (draw(law, n, rng) for _ in range(3))
    found = {
        "classifier": classifier_test(real=x, generated=y, seed=seed, permutations=199),
        "MMD": mmd_test(real=x, generated=y, seed=seed, permutations=199),
        "energy": energy_test(real=x, generated=y, seed=seed, permutations=199),
        "nearest neighbour": nearest_neighbour_test(real=x, generated=y, seed=seed),
        "bins": bins_test(train=train, real=x, generated=y, seed=seed),
        "data copying": data_copying(train=train, test=x, generated=y, seed=seed),
        "near copies": neighbour_ratio(train=train, test=x, generated=y),
    }
    p = {name: float(estimate.p) for name, estimate in found.items() if estimate.p is not None}
    noise = rng.standard_normal(300)
    for i in range(1, 300):
        noise[i] += 0.8 * noise[i - 1]
    p["cycling (AR 0.8)"] = float(cycling(rounds=np.arange(300), values=noise, seed=seed).p or 1.0)
    return p


def numbers(law: str, n: int, seed: int) -> dict[str, Estimate]:
    """Every number with an interval, between different laws; copies and support where the truth is known."""
    rng = np.random.default_rng([seed, 2])
    x, y, train = draw(law, n, rng), draw(law, n, rng, 0.3), draw(law, n, rng)
    logits = draw(law, n, rng) * 2
    alike = draw(law, n, rng)
    places = torch.from_numpy(rng.integers(400, size=n)).double()[:, None]
    found = {
        "Fréchet": frechet_distance(real=x, generated=y), "kernel": kernel_distance(real=x, generated=y),
        "sliced Wasserstein": sliced_wasserstein(real=x, generated=y), "Vendi": vendi_score(generated=y),
        "classifier score": classifier_score(logits=logits), **manifold(real=x, generated=y),
        "classifier AUC (given)": classifier_test(real=x, generated=y, seed=seed, permutations=19),
        "data copying AUC": data_copying(train=train, test=x, generated=alike),
        "authenticity (given)": authenticity(train=train, generated=alike),
        "birthday": birthday(generated=places, threshold=0.0),
    }  # fmt: skip
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def truths(law: str) -> dict[str, float]:
    """Distances of the laws themselves, and the uniform support."""
    rng = np.random.default_rng(99)
    x, y = draw(law, 400_000, rng), draw(law, 400_000, rng, 0.3)
    a, b = moments(x), moments(y)
    parts = zip(x.split(4000), y.split(4000), strict=True)
    kernel = [kernel_distance(real=one, generated=other).value for one, other in parts]
    distance = raw_frechet(a.mean, a.covariance, b.mean, b.covariance)
    return {"Fréchet": distance, "kernel": float(np.mean(kernel)), "data copying AUC": 0.5, "birthday": 400.0}


def job(task: tuple[str, str, int, int]) -> tuple[str, str, dict[str, tuple[float, ...]]]:
    """One run: p-values, or (value, low, high) of numbers."""
    what, law, n, seed = task
    torch.set_num_threads(1)
    if what == "test":
        return what, law, {name: (p,) for name, p in tests(law, n, seed).items()}
    try:
        return what, law, {name: (e.value, *e.interval) for name, e in numbers(law, n, seed).items()}
    except UserError as error:
        raise SystemExit(f"{law}: {error}") from None


def table(rows: dict[tuple[str, str], str], laws: list[str]) -> None:
    """Names down, laws across."""
    for name in dict.fromkeys(name for name, _ in rows):
        print(f"  {name:<24}" + "".join(f"{rows.get((name, law), ''):>16}" for law in laws))


def main(runs: int, jobs: int, n: int) -> int:
    """Prints both tables; returns how many numbers lie outside."""
    laws, out = ["normal", "relu", "t5"], 0
    tasks = [(what, law, n, seed) for what in ("test", "number") for law in laws for seed in range(runs)]
    found: dict[tuple[str, str, str], list[tuple[float, ...]]] = {}
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for what, law, values in pool.imap_unordered(job, tasks, chunksize=5):
            for name, value in values.items():
                found.setdefault((what, name, law), []).append(value)
    slack = 1.96 * math.sqrt(0.05 * 0.95 / runs)
    print(
        f"Type-I error at 0.05 over {runs} runs of n = {n}, d = {D} (+- {slack:.3f} by chance); law:  {'  '.join(laws)}"
    )
    rows = {}
    for (what, name, law), values in found.items():
        if what == "test":
            rate = float(np.mean([p < 0.05 for (p,) in values]))
            bad = rate > 0.07 or (rate < 0.03 and name not in COUNTS)
            out += bad
            rows[name, law] = f"{rate:.3f}{' !' if bad else '  '}"
    table(rows, laws)
    print(f"Coverage of 95% intervals over {runs} runs (+- {slack:.3f} by chance)")
    rows, known = {}, {law: truths(law) for law in laws}
    for (what, name, law), values in found.items():
        if what == "number":
            truth = known[law].get(name, float(np.mean([v for v, _, _ in values])))
            rate = float(np.mean([low <= truth <= high for _, low, high in values]))
            bad = "(given)" not in name and (rate < 0.90 or (rate > 0.98 and name not in COUNTS))
            out += bad
            rows[name, law] = f"{rate:.3f}{' !' if bad else '  '}"
    table(rows, laws)
    print(f"{out} outside")
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--n", type=int, default=200)
    given = parser.parse_args()
    sys.exit(1 if main(given.runs, given.jobs, given.n) else 0)
