"""What the nearest-neighbour metrics cost, against prdc, scikit-learn and whole distance matrices in PyTorch.

    python benchmarks/neighbours.py [--n 10000] [--d 128] [--rounds 3] [--threads 2]

Every route runs in a process of its own, in turn, for several rounds; time is that of the computation alone, after a
small one to warm up, and peak memory is what the process held above what it began with (Linux; nan elsewhere). The
ratio is the median over rounds of a peer's time over ours for the same numbers in that round. Ours give standard
errors, nulls and p-values too.
"""

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path


def ours(names: str):
    from adversaria.metrics import balls, copying, nearest_test
    from adversaria.metrics.neighbours import Passes

    def run(x, y, held):
        passes, said = Passes(), {}
        if "ratios" in names:
            made = copying.neighbour_ratio(train=x, test=held, generated=y, passes=passes)
            said["ratios"] = made.value
        if "manifold" in names:
            said |= {k: e.value for k, e in balls.manifold(real=x, generated=y, k=5, passes=passes).items()}
        if "standard" in names:  # precision and recall at 3, density and coverage at 5
            said |= {k: e.value for k, e in balls.manifold(real=x, generated=y, passes=passes).items()}
        if "1-nn" in names:
            said["1-nn"] = nearest_test.nearest_neighbour_test(real=x, generated=y, passes=passes).value
        if "copying" in names:
            said["authenticity"] = copying.authenticity(train=x, generated=y, test=held, passes=passes).value
            said["auc"] = copying.data_copying(train=x, test=held, generated=y, passes=passes).value
        return said

    return run


def prdc(x, y, held):
    from prdc import compute_prdc

    return {k: float(v) for k, v in compute_prdc(x.numpy(), y.numpy(), 5).items()}


def matrices(x, y, held):
    """Precision, recall, density and coverage from three whole matrices of torch.cdist."""
    import torch

    def radii(s):
        return torch.cdist(s, s).kthvalue(6, dim=1).values

    r, f, d = radii(x), radii(y), torch.cdist(x, y)
    balls, others = d <= r[:, None], d <= f
    shares = balls.any(0), others.any(1), balls / 5, d.amin(1) <= r
    names = ("precision", "recall", "density", "coverage")
    said = dict(zip(names, (float(s.float().mean()) for s in shares), strict=True))
    return said | {"density": said["density"] * len(x)}


def sklearn_one(x, y, held):
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    pooled, labels = np.concatenate([x, y]), np.arange(len(x) + len(y)) < len(x)
    near = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(pooled).kneighbors(pooled, return_distance=False)
    return {"1-nn": float((labels == labels[near[:, 1]]).mean())}


def sklearn_ratios(x, y, held):
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=50, algorithm="brute").fit(x.numpy())
    a, b = (model.kneighbors(s.numpy())[0] for s in (y, held))
    made, real = (d[:, 0] / d[:, 1:].mean(1) for d in (a, b))
    return {"ratios": float((made <= np.sort(real)[max(1, (len(real) + 1) // 100) - 1]).mean())}


ROUTES = {
    "ours: precision, recall, density, coverage (k = 5)": lambda: ours("manifold"),
    "prdc: the same": lambda: prdc,
    "torch.cdist, whole matrices: the same": lambda: matrices,
    "ours: 1-nn test, 1000 relabellings": lambda: ours("1-nn"),
    "sklearn brute force: its accuracy alone": lambda: sklearn_one,
    "ours: ratios to 50 neighbours": lambda: ours("ratios"),
    "sklearn brute force: the same": lambda: sklearn_ratios,
    "ours: everything, passes shared": lambda: ours("ratios standard 1-nn copying"),
}


def one(route: str, n: int, d: int, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    sets = [torch.randn(n, d, generator=generator) for _ in range(3)]
    run = ROUTES[route]()
    print_to, sys.stdout = sys.stdout, sys.stderr  # prdc prints
    run(*(s[:300] for s in sets))
    forget_peak()
    before = memory("VmRSS")
    started = time.perf_counter()
    said = run(*sets)
    seconds = time.perf_counter() - started
    peak = memory("VmHWM") - before
    sys.stdout = print_to
    print(json.dumps({"seconds": seconds, "peak": peak, "said": said}))


def forget_peak() -> None:
    """From here on VmHWM is the peak since now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def memory(name: str) -> float:
    """Megabytes by /proc."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), math.nan)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("n", 10_000), ("d", 128), ("rounds", 3), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--route")
    a = parser.parse_args()
    if a.route:
        return one(a.route, a.n, a.d, a.threads)
    found: dict[str, list[dict]] = {route: [] for route in ROUTES}
    for _ in range(a.rounds):
        for route in ROUTES:
            command = [sys.executable, __file__, "--route", route, f"--n={a.n}", f"--d={a.d}", f"--threads={a.threads}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[route].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{a.n} x {a.n} examples, d = {a.d}, {a.threads} threads, medians of {a.rounds} rounds")
    mine: list[dict] = []
    for route, rounds in found.items():
        mine = rounds if route.startswith("ours") else mine
        seconds, peak = (statistics.median(r[key] for r in rounds) for key in ("seconds", "peak"))
        ratio = statistics.median(r["seconds"] / m["seconds"] for r, m in zip(rounds, mine, strict=True))
        said = ", ".join(f"{k} {v:.4f}" for k, v in rounds[0]["said"].items())
        print(f"{route:<52}{seconds:>8.2f} s{peak:>7.0f} MB{ratio:>7.1f} x   {said}", flush=True)


if __name__ == "__main__":
    main()
