"""What a permutation test of MMD costs: ours, against one that takes every permutation's means anew.

    python benchmarks/two_sample.py

Both compute the same statistic of the same kernel matrix, made once; the naive one then cuts the permuted matrix in
blocks for each permutation, ours takes all of them as one product. Their values agree to rounding, which is checked.
The two take turns in one process; the figure is the median over blocks of the ratio of their times. Ours is timed with
all it does: checks, median, standard error and V-statistic.
"""

import statistics
import time

import torch

from adversaria.metrics.two_sample import mmd_test, relabelled

CASES = [(200, 8, 500), (500, 64, 500), (1000, 128, 500)]
BLOCKS = 5


def kernel(pooled: torch.Tensor, widths: list[float]) -> torch.Tensor:
    squares = torch.cdist(pooled, pooled).square()
    return torch.stack([torch.exp(squares / (-2 * s * s)) for s in widths]).mean(0).fill_diagonal_(0)


def naive(k: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The unbiased statistic of each relabelling, block by block."""
    found = []
    for row in labels:
        a, b = row.nonzero().flatten(), (row == 0).nonzero().flatten()
        n, m = len(a), len(b)
        inner, outer, cross = k[a][:, a].sum(), k[b][:, b].sum(), k[a][:, b].mean()
        found.append(inner / (n * (n - 1)) + outer / (m * (m - 1)) - 2 * cross)
    return torch.stack(found)


def timed(call) -> tuple[float, object]:
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; medians of {BLOCKS} blocks")
    print(f"{'n = m':>6}{'d':>6}{'permutations':>14}{'naive':>12}{'ours':>12}{'ratio':>8}")
    for n, d, permutations in CASES:
        generator = torch.Generator().manual_seed(0)
        x, y = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))

        def ours(x=x, y=y, permutations=permutations):
            return mmd_test(real=x, generated=y, permutations=permutations)

        widths = ours().details["bandwidths"]

        def theirs(x=x, y=y, widths=widths, n=n, permutations=permutations):
            pooled = torch.cat([x, y])
            return naive(kernel(pooled, widths), relabelled(n, 2 * n, permutations, 0))

        null = theirs()
        estimate = ours()
        assert abs(float(null.std()) / estimate.null.sd - 1) < 1e-6, "the two don't compute the same permutations"
        blocks = []
        for i in range(BLOCKS):
            first, second = (ours, theirs) if i % 2 else (theirs, ours)
            times = {call: timed(call)[0] for call in (first, second)}
            blocks.append((times[theirs], times[ours]))
        hand, fast = (statistics.median(block[i] for block in blocks) for i in range(2))
        ratio = statistics.median(a / b for a, b in blocks)
        print(f"{n:>6}{d:>6}{permutations:>14}{hand * 1e3:>10.0f}ms{fast * 1e3:>10.0f}ms{ratio:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
