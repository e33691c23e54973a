"""The dynamics of gan and wgan-gp on the ring of 8 Gaussians: where play goes, what could still be won or learned.

    python benchmarks/dynamics.py [--recipes gan wgan-gp] [--rounds N] [--seed N]

Eigenvalues of the Jacobian of the players' gradients and the rotation index (3 batches), the duality gap (100 steps,
held-out batches), the slope of the generator's gradient under 3 fresh discriminators (150 steps), the discriminator's
held-out gap and the spectral peak of its loss; each with its time. The game is the preset 'small' after N rounds.
"""

import argparse
import time

import torch

from adversaria import catalogue
from adversaria.data import load
from adversaria.diagnose.critics import gradient_probe, held_out_gap
from adversaria.diagnose.duality import duality_gap
from adversaria.diagnose.dynamics import jacobian_eigenvalues, rotation_index
from adversaria.diagnose.path import path_angle
from adversaria.diagnose.periods import cycling
from adversaria.game import play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["gan", "wgan-gp"])
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.recipes:
        measure(name, options.rounds, options.seed)


def measure(name: str, rounds: int, seed: int) -> None:
    recipe, data = catalogue.make(name, "small", rounds=rounds), load("ring8")
    torch.manual_seed(seed)
    game = recipe.build(data.spec)
    train, test = (data.batches(recipe.batch, seed=seed + 1, split=split) for split in ("train", "valid"))
    start = {key: value.clone() for key, value in game.state_dict().items()}
    clock = time.perf_counter()
    told = list(play(game.stage(), data.batches(recipe.batch, seed=seed), rounds=rounds))
    print(f"{name}: {rounds} rounds of play, {time.perf_counter() - clock:.1f} s")
    critic = game.stage().players[0].name
    loss = [sum(record.terms[critic].values()) for record in told]
    x = {split: data.examples(1000, split, seed=seed).x for split in ("train", "valid")}
    generated = game.sample(1000, seed=seed)
    for what, measured in {
        "eigenvalues": lambda: jacobian_eigenvalues(game, train.at(0)),
        "rotation": lambda: rotation_index(game, train),
        "path angle": lambda: path_angle(game, train.at(0), start=start, end=game.state_dict()),
        "duality gap": lambda: duality_gap(game, train, test),
        "probe": lambda: gradient_probe(game, train, test=test),
        "held-out gap": lambda: held_out_gap(game, train=x["train"], valid=x["valid"], generated=generated),
        "cycling": lambda: cycling(rounds=range(rounds), values=loss),
    }.items():
        clock = time.perf_counter()
        found = measured()
        print(f"  {what:13s} {time.perf_counter() - clock:6.2f} s   {found}", flush=True)


if __name__ == "__main__":
    main()
