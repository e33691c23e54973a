"""Held-out likelihood on the small binary sets (dna, mushrooms, nips) beside published numbers and closed-form floors.

    python benchmarks/small_binary.py --data FOLDER [--names dna,mushrooms,nips] [--seeds 3] [--out results/likelihood]

FOLDER holds NAME.npz with the published splits (keys train, valid, test). Every model is trained for so many rounds
with each weight decay of a list, from seed 0; the decay and, in every run, the weights of the round with the best
likelihood of the validation split are kept. Test examples are looked at once, at the end. The standard error is that
over test examples, of the first seed; seeds differ by training alone. Published numbers are those of Germain et al.
(2015), arXiv:1502.03509, Table 2, and Uria et al. (2016), arXiv:1605.02226, Table 2; their models were searched over
more.
"""

import argparse
import copy
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

import adversaria as adv
from adversaria.data import Dataset
from adversaria.game import Game, play
from adversaria.metrics import closed_forms

MODELS = {
    "fvsbn": {"rounds": 2_000},
    "nade": {"hidden": 200, "rounds": 2_000},
    "made": {"hidden": 500, "rounds": 2_000},
    "deep-nade": {"hidden": 500, "depth": 2, "orders": 16, "rounds": 6_000},
}
DECAYS = (0.01, 0.1, 0.5, 2.0)
PUBLISHED = {
    "dna": {"fvsbn": 83.64, "nade": 84.81, "made": 83.63, "deep-nade": 82.31},
    "mushrooms": {"fvsbn": 10.27, "nade": 9.81, "made": 9.68, "deep-nade": 9.69},
    "nips": {"fvsbn": 276.88, "nade": 273.08, "made": 280.25, "deep-nade": 272.39},
}
"""Of deep-nade, EoNADE with one hidden layer and 16 orderings."""
EVERY = 50


def nll(game: Game, x: torch.Tensor) -> torch.Tensor:
    """Of every example, in nats."""
    return -torch.cat([game.log_prob(part) for part in x.split(1_000)]).double()


def fit(name: str, data: Dataset, decay: float, seed: int) -> tuple[float, Game, int]:
    """Likelihood of the validation split at its best, the game there, and the round."""
    changed = MODELS[name]
    recipe = adv.recipe(name, adam={"decay": decay}, **changed)
    torch.manual_seed(seed)
    game = recipe.build(data.spec)
    valid = data.examples(data.size("valid"), "valid").x
    # An order-agnostic model is watched by one order; its test likelihood takes all.
    watched = adv.recipe(name, **{**changed, "orders": 1}).build(data.spec) if "orders" in changed else game
    best, kept, at = float("inf"), copy.deepcopy(game.state_dict()), 0
    for record in play(game.stage(), data.batches(recipe.batch, seed=seed), rounds=recipe.rounds):
        if record.number % EVERY == 0:
            if watched is not game:
                watched.load_state_dict(game.state_dict())
            told = float(nll(watched, valid).mean())
            if told < best:
                best, kept, at = told, copy.deepcopy(game.state_dict()), record.number
    game.load_state_dict(kept)
    return best, game, at


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--names", default=",".join(PUBLISHED))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="results/likelihood")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for data_name in options.names.split(","):
        data = adv.load(Path(options.data) / f"{data_name}.npz")
        train, test = (data.examples(data.size(split), split).x for split in ("train", "test"))
        floors = closed_forms(train, test, data.spec)
        told = {key: {"nll": e.value, "error": e.error} for key, e in floors.items()}
        print(f"\n{data_name}, {data.size('test')} test examples of {data.spec.size} bits, nats")
        for key, e in floors.items():
            print(f"  {key:<10} {e.value:8.2f} ± {e.error:.2f}")
        for name in MODELS:
            started = time.process_time()
            found = {decay: fit(name, data, decay, 0) for decay in DECAYS}
            decay = min(found, key=lambda d: found[d][0])
            runs = [found[decay], *(fit(name, data, decay, seed) for seed in range(1, options.seeds))]
            each = [nll(game, test) for _, game, _ in runs]
            means = [float(v.mean()) for v in each]
            error = float(each[0].std() / len(test) ** 0.5)
            published = PUBLISHED[data_name][name]
            seconds = time.process_time() - started
            told[name] = {
                "nll": statistics.fmean(means), "error": error, "seeds": means, "decay": decay, "published": published,
                "rounds": [at for *_, at in runs], "hyperparameters": MODELS[name], "seconds": round(seconds, 1),
            }  # fmt: skip
            mean = statistics.fmean(means)
            seeds = ", ".join(f"{m:.2f}" for m in means)
            print(f"  {name:<10} {mean:8.2f} ± {error:.2f}, seeds {seeds}; published {published} "
                  f"({mean / published - 1:+.1%}); decay {decay}, {seconds:.0f} s", flush=True)  # fmt: skip
        out = Path(options.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{data_name}.json").write_text(json.dumps(
            {"data": data_name, "fingerprint": data.fingerprint, "n": len(test), "d": data.spec.size, "unit": "nats",
             "models": told}, indent=1) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
