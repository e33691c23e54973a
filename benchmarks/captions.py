"""Whether a gumbel-vae draws what captions say: those it was trained on, and those held out.

    adversaria train gumbel-vae --preset captions --data captioned-shapes --out runs/captions
    python benchmarks/captions.py runs/captions [-n 400] [--seed 0]

A caption is read from a sample's pixels (`adversaria.data.shapes.read`), which is right for more than 99% of the data's
own images (tests/data/test_data_shapes.py). Shares come with Wilson's 95% interval over samples, of one run.
"""

import argparse

import numpy as np
from scipy import stats

import adversaria as adv
from adversaria.data import shapes


def share(hits: np.ndarray) -> str:
    """Of the hits, with its interval."""
    found = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return f"{hits.mean():.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> None:
    """The shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("-n", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = adv.load_run(options.run)
    nothing = (-1, -1, -1)
    for split, called in (("train", "trained"), ("test", "held out")):
        labels = run.data.examples(options.n, split, seed=options.seed).labels
        samples = run.data.spec.to_user(run.game.sample(options.n, labels, seed=options.seed))
        due = np.array([shapes.PARTS[k] for k in labels.tolist()])
        read = np.array([shapes.PARTS[k] if k >= 0 else nothing for k in shapes.read(samples)])
        right = due == read
        told = dict(zip(("first thing", "relation", "second thing"), map(share, right.T), strict=True))
        print(f"captions {called}: all {share(right.all(1))}; " + ", ".join(f"{k} {v}" for k, v in told.items()))


if __name__ == "__main__":
    main()
