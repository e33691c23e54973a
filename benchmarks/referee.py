"""What the referee costs: a generator's move through it, against the same move written by hand in plain PyTorch.

    python benchmarks/referee.py

The moves take turns in one process, each block in another order; the figure is the median over blocks of the ratio of
their times. The referee's own cost is fixed, so small networks show it most. The last two columns: the same move by
hand without freezing the discriminator, whose weight gradients are then computed for nothing, and its ratio to the
referee's.
"""

import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import Referee
from adversaria.recipes.adversarial.dcgan import DCGAN
from adversaria.recipes.adversarial.gan import GAN

CASES = {
    "gan, ring8, batch 256": (GAN(latent=2), DataSpec("points", (2,))),
    "dcgan, 8x8, batch 128": (DCGAN(), DataSpec("image", (1, 8, 8))),
    "dcgan, 28x28, batch 128": (DCGAN(), DataSpec("image", (1, 28, 28))),
    "dcgan, 64x64 colour, width 32, batch 32": (DCGAN(width=32, batch=32), DataSpec("image", (3, 64, 64))),
}


def by_hand(game: nn.Module, recipe: GAN | DCGAN, uniform: bool, narrow: bool):
    """The generator's move as one writes it without a library: freeze D, or let its gradients be computed."""
    G, D = game.networks["generator"], game.networks["discriminator"]
    optimizer = torch.optim.Adam(G.parameters(), recipe.adam.lr, recipe.adam.betas, fused=True)

    def move(batch: Batch) -> None:
        for p in D.parameters():
            p.requires_grad_(not narrow)
        z = torch.rand(len(batch), recipe.latent) * 2 - 1 if uniform else torch.randn(len(batch), recipe.latent)
        loss = F.softplus(-D(G(z))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return move


def through_the_referee(game: nn.Module):
    stage = game.stages[0]
    referee = Referee(stage, rounds=1000)
    player = stage.players[1]

    def move(batch: Batch) -> None:
        referee.backward(player, player.objective(batch))
        referee.step(player)

    return move


def timed(move, batch: Batch, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        move(batch)
    return (time.perf_counter() - started) / repeats


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; medians of 15 blocks")
    print(f"{'':<42}{'by hand':>10}{'referee':>10}{'ratio':>8}{'by hand, D not frozen':>24}{'ratio':>8}")
    for name, (recipe, spec) in CASES.items():
        torch.manual_seed(0)
        batch = Batch(torch.rand(recipe.batch, *spec.shape) * 2 - 1)
        uniform = isinstance(recipe, DCGAN)
        moves = [
            by_hand(recipe.build(spec), recipe, uniform, narrow=True),
            through_the_referee(recipe.build(spec)),
            by_hand(recipe.build(spec), recipe, uniform, narrow=False),
        ]
        repeats = max(3, int(0.1 / timed(moves[0], batch, 5)))
        blocks = []
        for i in range(16):
            order = [(i + j) % 3 for j in range(3)]  # everyone goes first in turn
            times = {k: timed(moves[k], batch, repeats) for k in order}
            blocks.append([times[k] for k in range(3)])
        blocks = blocks[1:]
        hand, referee, loose = (statistics.median(block[i] for block in blocks) for i in range(3))
        ratio = statistics.median(block[1] / block[0] for block in blocks)
        wasted = statistics.median(block[2] / block[1] for block in blocks)
        print(f"{name:<42}{hand * 1e3:>8.2f}ms{referee * 1e3:>8.2f}ms{ratio:>8.3f}{loose * 1e3:>22.2f}ms{wasted:>8.3f}")


if __name__ == "__main__":
    main()
