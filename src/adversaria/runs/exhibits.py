"""Pictures and numbers of a trained model for its report: samples, data, paths between codes, nearest neighbours."""

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria import latent
from adversaria.data import Dataset
from adversaria.game import Game
from adversaria.metrics import mean
from adversaria.runs.folder import RunFolder
from adversaria.runs.sampling import given_for, sheet_size
from adversaria.runs.sheets import sheet

SHOWN = 8
"""Samples shown with their neighbours, and paths between codes."""
NEIGHBOURS = 5
CANDIDATES = 20_000
"""Training examples searched for neighbours, at most."""


@torch.no_grad()
def make(folder: RunFolder, game: Game, data: Dataset, round: int, seed: int) -> None:
    """Writes exhibits/*.png and exhibits/exhibits.json for the model as it stands."""
    spec = data.spec
    n, columns = sheet_size(game, data)
    given = given_for(game, data, n)
    samples = game.sample(n, given, seed=seed).cpu()
    held = _held_out(data, n)
    shown = spec.to_user(held)
    told: dict[str, Any] = {"round": round, "seed": seed, "pictures": {}}

    def keep(name: str, caption: str, examples: np.ndarray, columns: int | None = None, beside: Any = None) -> None:
        folder.write(f"exhibits/{name}.png", sheet(spec, examples, columns, beside))
        told["pictures"][name] = caption

    beside = shown if spec.kind == "points" else None
    keep(
        "samples",
        f"{n} samples at round {round}, seed {seed}; not selected",
        spec.to_user(samples),
        columns,
        beside,
    )
    keep("data", f"{len(held)} held-out examples of {data.name}", shown, columns)
    if game.condition == "image" and given is not None:
        keep(
            "sources",
            "what the samples were made from, in the same order",
            spec.to_user(given),
            columns,
        )
    if spec.kind == "image":
        if game.can("latent") and game.can("decode") and game.condition is None:
            paths, way = _paths(game, seed)
            keep("interpolation", f"{way} paths between pairs of codes, left to right", spec.to_user(paths), 10)
        if game.can("reconstruct"):
            held = held if given is None or game.condition != "image" else given
            pairs = torch.cat([held[:10], game.reconstruct(held[:10].to(game.device), seed=seed).cpu()])
            keep("reconstructions", "held-out examples above, reconstructions below", spec.to_user(pairs), 10)
    if spec.kind in ("image", "points"):
        _neighbours(keep, told, game, data, seed)
    folder.write("exhibits/exhibits.json", json.dumps(told, indent=1).encode())


def _held_out(data: Dataset, n: int) -> Tensor:
    split = "test" if data.size("test") else "train"
    batch = data.examples(min(n, data.size(split)), split, seed=0)
    return batch.x if batch.y is None else batch.y


def _paths(game: Game, seed: int, steps: int = 10) -> tuple[Tensor, str]:
    """Examples on paths between draws of the prior, and of what way these are."""
    prior, ends = latent.Prior.of(game), game.latent(2 * SHOWN, seed=seed)
    path = latent.interpolate(game, ends[:SHOWN], ends[SHOWN:], steps, prior=prior)[0]
    return path.flatten(0, 1).cpu(), "spherical" if prior.law == "normal" else "straight"


def _neighbours(keep: Any, told: dict[str, Any], game: Game, data: Dataset, seed: int) -> None:
    members = data.members("train")[-1]  # of two domains, the one that samples are to look like
    pool = np.random.default_rng(0).permutation(members)[:CANDIDATES]
    n = min(200, max(SHOWN, data.size("test")))
    samples = game.sample(n, given_for(game, data, n), seed=seed).cpu()
    held = _held_out(data, min(n, data.size("test")))
    distance, index = nearest(samples.flatten(1), data, pool, NEIGHBOURS)
    protocol = f"Euclidean distance of raw numbers in game form to the nearest of {len(pool)} training examples"
    told["neighbours"] = {
        "protocol": protocol,
        "samples": _summary(distance[:, 0]),
        "held_out": _summary(nearest(held.flatten(1), data, pool, 1)[0][:, 0]) if len(held) > 1 else None,
    }
    if data.spec.kind == "image":
        near = _rows(data, index[:SHOWN].flatten().numpy()).view(SHOWN, -1, *data.spec.shape)
        row = torch.cat([samples[:SHOWN, None], near], 1).flatten(0, 1)
        caption = f"samples in the first column, then their {NEIGHBOURS} nearest of {len(pool)} training images"
        keep("neighbours", caption, data.spec.to_user(row), 1 + index.shape[1])


def nearest(x: Tensor, data: Dataset, pool: np.ndarray, k: int, piece: int = 256) -> tuple[Tensor, Tensor]:
    """Distances (n, k) and places of the `k` examples nearest to each row of `x` (n, d), among those at `pool`.

    A piece of the pool is in memory at a time.
    """
    best, places = torch.empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.long)
    for i in range(0, len(pool), piece):
        part = pool[i : i + piece]
        best = torch.cat([best, torch.cdist(x.float(), _rows(data, part).flatten(1))], 1)
        places = torch.cat([places, torch.from_numpy(part).expand(len(x), -1)], 1)
        best, order = best.topk(min(k, best.shape[1]), 1, largest=False)
        places = places.gather(1, order)
    found = _rows(data, places.flatten().numpy()).flatten(1).unflatten(0, places.shape)
    return (x.float()[:, None] - found).norm(dim=2), places  # again, since cdist is not exact near 0


def _rows(data: Dataset, index: np.ndarray) -> Tensor:
    rows = data.store.gather(index)
    return data.spec.to_game(rows) if data.spec.kind == "image" else rows.float()


def _summary(distances: Tensor) -> dict[str, float]:
    estimate = mean("distance", distances, "", {})
    return {"mean": estimate.value, "error": estimate.error, "n": estimate.n}
