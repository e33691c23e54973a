"""What distances cost: ours against the usual code for the same number, in one run, taking turns.

    OMP_NUM_THREADS=2 python benchmarks/distances.py [--quick]

Peers: torchmetrics' Fréchet distance (eigenvalues of the product of covariances, moments by its own running sums) and
scipy's matrix square root after numpy's covariances; torchmetrics' kernel distance as it is used everywhere, 100
subsets of 1000; POT's sliced distance with as many directions. Ours also give the bias and the standard error, which
no peer does ("value alone" does without). The last column: the peer's time over ours, median over turns, in processor
time, which other work on the machine disturbs less.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import ot
import scipy.linalg
import torch
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from adversaria.metrics.frechet import frechet_distance, moments, raw_frechet
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.transport import sliced_wasserstein

Sets = tuple[torch.Tensor, torch.Tensor]


def features(n: int, d: int) -> Sets:
    """Two samples that look like a network's last features: non-negative, correlated, single precision."""
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(d, d, generator=generator) / d**0.5
    x, y = (torch.randn(n, d, generator=generator) @ A for _ in range(2))
    return x.relu(), (1.05 * y + 0.02).relu()


def frechet_by_eigenvalues(x: torch.Tensor, y: torch.Tensor) -> float:
    """As torchmetrics accumulates and compares, in double precision."""
    moments = []
    for z in (x.double(), y.double()):
        mean = z.sum(0) / len(z)
        moments += [mean, (z.T @ z - len(z) * mean[:, None] * mean) / (len(z) - 1)]
    return float(_compute_fid(*moments))


def frechet_by_square_root(x: torch.Tensor, y: torch.Tensor) -> float:
    a, b = x.double().numpy(), y.double().numpy()
    S, T = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(S @ T)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(S) + np.trace(T) - 2 * np.trace(root.real))


def kernel_by_subsets(x: torch.Tensor, y: torch.Tensor, subsets: int = 100, size: int = 1000) -> float:
    size = min(size, len(x))
    found = [poly_mmd(x[torch.randperm(len(x))[:size]], y[torch.randperm(len(y))[:size]]) for _ in range(subsets)]
    return float(torch.stack(found).mean())


def sliced_by_pot(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(ot.sliced_wasserstein_distance(x, y, n_projections=256, p=1, seed=0)) * x.shape[1] ** 0.5


def ours(metric: Callable) -> Callable[[torch.Tensor, torch.Tensor], float]:
    return lambda x, y: metric(real=x, generated=y).value


def with_error(x: torch.Tensor, y: torch.Tensor) -> float:
    return frechet_distance(real=x, generated=y).details["raw"]


def value_alone(x: torch.Tensor, y: torch.Tensor) -> float:
    a, b = moments(x), moments(y)
    return raw_frechet(a.mean, a.covariance, b.mean, b.covariance)


FRECHET, KERNEL, SLICED = ("ours", with_error), ("ours", ours(kernel_distance)), ("ours", ours(sliced_wasserstein))
ALONE, EIGENVALUES = ("ours, value alone", value_alone), ("torchmetrics", frechet_by_eigenvalues)
ROOT = ("scipy sqrtm", frechet_by_square_root)
SUBSETS, POT = ("torchmetrics, 100 of 1000", kernel_by_subsets), ("POT", sliced_by_pot)
CASES = [
    # name, examples, features, turns, ours, peers
    ("Fréchet", 10_000, 128, 5, FRECHET, [ALONE, EIGENVALUES, ROOT]),
    ("Fréchet", 5_000, 512, 3, FRECHET, [ALONE, EIGENVALUES, ROOT]),
    ("Fréchet", 10_000, 2048, 1, FRECHET, [ALONE, EIGENVALUES, ROOT]),
    ("kernel", 2_000, 128, 3, KERNEL, [SUBSETS]),
    ("kernel", 10_000, 128, 1, KERNEL, [SUBSETS]),
    ("kernel", 2_000, 2048, 1, KERNEL, [SUBSETS]),
    ("kernel", 10_000, 2048, 1, KERNEL, [SUBSETS]),
    ("sliced W1", 10_000, 128, 3, SLICED, [POT]),
]


def timed(work: Callable, sets: Sets) -> tuple[float, float, float]:
    """Seconds on the clock and of the processor, and what came of it."""
    started, used = time.perf_counter(), time.process_time()
    value = work(*sets)
    return time.perf_counter() - started, time.process_time() - used, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out the 2048 features")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")  # sqrtm's own
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':<11}{'n':>7}{'d':>6}  {'by':<26}{'value':>11}{'seconds':>9}{'processor':>11}{'over ours':>11}")
    for name, n, d, turns, own, peers in CASES:
        if quick and d > 1000:
            continue
        sets, everyone = features(n, d), [own, *peers]
        clock: dict[str, list[float]] = {by: [] for by, _ in everyone}
        times: dict[str, list[float]] = {by: [] for by, _ in everyone}
        values = {}
        if turns > 1:
            timed(own[1], sets)  # warms up
        for turn in range(turns):
            for i in range(len(everyone)):  # everyone goes first in turn
                by, work = everyone[(turn + i) % len(everyone)]
                seconds, used, values[by] = timed(work, sets)
                clock[by].append(seconds)
                times[by].append(used)
        for by, _ in everyone:
            ratio = statistics.median(theirs / our for theirs, our in zip(times[by], times["ours"], strict=True))
            shown = "" if by == "ours" else f"{ratio:>10.1f}x"
            seconds, used = statistics.median(clock[by]), statistics.median(times[by])
            row = f"{name:<11}{n:>7}{d:>6}  {by:<26}{values[by]:>11.5g}{seconds:>9.3f}{used:>11.3f}{shown}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
