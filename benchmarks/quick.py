"""What the quick set costs, as it runs at checkpoints while training: 2,000 samples in 64 principal components.

    python benchmarks/quick.py [--n 2000] [--threads 2]

The data are made: 12,000 images of 28 x 28 from a linear model with 100 factors. The target is 10 s; nulls are measured
once in a run and then known, so both the first call and a later one are told.
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

import adversaria as adv
from adversaria.evaluation.features import pca
from adversaria.evaluation.sets import prepare
from adversaria.evaluation.suite import METRICS, QUICK, measure


def main(n: int, threads: int) -> None:
    """Prints the time of each computation and of the whole."""
    torch.set_num_threads(threads)
    os.environ["ADVERSARIA_CACHE"] = tempfile.mkdtemp()
    rng = np.random.default_rng(0)
    values = rng.standard_normal((22_000, 100)) @ (rng.standard_normal((100, 784)) / np.arange(1, 101)[:, None])
    pixels = np.clip(128 + 40 * values, 0, 255).astype(np.uint8).reshape(-1, 28, 28, 1)
    data = adv.load((pixels, rng.integers(10, size=len(pixels))))
    features = pca(data, 64)
    samples = data.examples(n, "train", seed=1).x
    started = time.perf_counter()
    sets = prepare(data, samples, features)
    print(f"features of reference, samples and {len(sets.train_places)} training examples: "
          f"{time.perf_counter() - started:.2f} s")  # fmt: skip
    for name in QUICK:
        started = time.perf_counter()
        told = measure(sets, [name], 0)
        state = ", ".join(told.estimates) or "not applicable"
        print(f"  {name:<12} {time.perf_counter() - started:6.2f} s  {state}")
    nulls: dict = {}
    for what in ("all, with nulls over 10 real sets", "all, nulls known"):
        fresh = sets.with_samples(samples, None)
        started = time.perf_counter()
        measure(fresh, QUICK, 10, nulls)
        print(f"{what}: {time.perf_counter() - started:.2f} s ({len(QUICK)} of {len(METRICS)} metrics)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    main(given.n, given.threads)
