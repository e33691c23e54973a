"""Which examples train, which choose and which judge: fixed for a data set, whatever the seed of a run."""

from collections.abc import Mapping

import numpy as np

from adversaria.errors import UserError

SPLITS = ("train", "valid", "test")
NAMES = {
    **{name: name for name in SPLITS},
    **{"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"},
}
"""The split that a folder, file or key of this name holds."""

_SEED = 20_140_610
_MOST = 5_000


def generator(*seed: int) -> np.random.Generator:
    """The stream of random numbers that belongs to `seed`: the same on every machine, independent of others.

    Raises UserError where a seed is negative.
    """
    if min(seed) < 0:
        raise UserError(f"seed is {min(seed)}; a seed is 0 or more: leave the sign off")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))


def complete(
    count: int, published: Mapping[str, np.ndarray] | None, what: str = "examples"
) -> tuple[dict[str, np.ndarray], str]:
    """Train, valid and test indices of `count` examples, with the sentence that says how they arose.

    Nothing published: a fixed random 80/10/10 split. Otherwise the published splits stand, and one that is
    missing is a fixed random tenth of the training split (5,000 at most).

    Raises UserError where there are too few examples for one in every split.
    """
    if count < len(SPLITS):
        raise UserError(f"{count} {what}; at least 3 are needed, one for each of train, valid and test: add more")
    if not published:
        order = generator(_SEED).permutation(count)
        tenth = max(1, count // 10)
        cuts = np.split(order, [count - 2 * tenth, count - tenth])
        return dict(zip(SPLITS, map(np.sort, cuts), strict=True)), "split 80/10/10 at random (fixed)"
    splits = {name: np.asarray(index, np.int64) for name, index in published.items()}
    taken = []
    for name in SPLITS[1:]:
        if len(splits.get(name, ())) == 0:
            share = min(_MOST, max(1, len(splits["train"]) // 10))
            order = generator(_SEED, SPLITS.index(name)).permutation(splits["train"])
            splits[name], splits["train"] = np.sort(order[:share]), np.sort(order[share:])
            taken.append(f"{name} is a fixed random {share:,} of its train split")
    if len(splits["train"]) == 0:
        raise UserError(f"too few {what} in the train split to take one for each missing split: add more")
    return {name: splits[name] for name in SPLITS}, "; ".join(["splits as the source has them", *taken])
