"""Does the plain GAN cover the ring of 8 Gaussians? Five seeds, at the recipe's defaults.

    python benchmarks/ring8.py [RECIPE] [--seeds N]

10,000 samples a seed. A sample is of high quality within 3 standard deviations of the nearest mode (the ceiling is
1 - exp(-4.5) = 98.9%); a mode is covered when a tenth of its
even share of the samples is of high quality and nearest to it.
"""

import argparse
import math
import tempfile
import time

import numpy as np

import adversaria as adv
from adversaria.data.made import modes


def coverage(points: np.ndarray, data: str = "ring8") -> tuple[int, float]:
    """Modes covered, and the share of points of high quality."""
    centres, sd = modes(data)
    distances = np.linalg.norm(points[:, None] - centres[None], axis=2)
    good = distances.min(1) < 3 * sd
    counts = np.bincount(distances.argmin(1)[good], minlength=len(centres))
    return int((counts >= 0.1 * len(points) / len(centres)).sum()), float(good.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="gan")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    passed = 0
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            run = adv.train(options.recipe, "ring8", out=f"{folder}/run", seed=seed)
            seconds = time.perf_counter() - started
            points = run.sample(10_000, seed=1)
        covered, quality = coverage(points)
        error = math.sqrt(quality * (1 - quality) / len(points))
        passed += covered == 8 and quality >= 0.9
        print(
            f"seed {seed}: {covered}/8 modes, {quality:.1%} +- {error:.1%} of high quality, {seconds:.0f} s", flush=True
        )
    print(f"8 modes and at least 90% of high quality: {passed} of {options.seeds} seeds")


if __name__ == "__main__":
    main()
