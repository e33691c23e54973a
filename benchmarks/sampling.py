"""Cached against naive sampling of a gated PixelCNN: seconds of one core and the ratio, and how far logits differ.

    python benchmarks/sampling.py [--size 28] [--batch 16] [--width 64] [--layers 10] [--pixels 784]

Both draw from the same noise, in one process with one thread. The naive sampler does a full pass for each pixel; with
--pixels below size^2 it does that many of them, spread evenly, and its time is scaled up.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from adversaria.distributions.alphabet import quantile
from adversaria.nn.pixelcnn import GatedPixelCNN


def main() -> None:
    """Times both."""
    parser = argparse.ArgumentParser()
    for name, value in {"size": 28, "batch": 16, "width": 64, "layers": 10, "pixels": 784}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net, side, cells = GatedPixelCNN(2, given.width, given.layers).eval(), given.size, given.size**2
    noise = torch.rand(given.batch, cells, 1)
    logits: list[Tensor] = []

    def pick(y: Tensor, u: Tensor) -> Tensor:
        logits.append(y)
        return quantile(y, u)

    started = time.process_time()
    codes = net.stacks.draw(noise, (side, side), pick, net.embedding).view(-1, side, side)
    cached = time.process_time() - started
    many = min(given.pixels, cells)
    done = [k * cells // many for k in range(many)]
    naive, furthest, wrong = 0.0, 0.0, 0
    with torch.no_grad():
        for k in done:
            i, j = divmod(k, side)
            so_far = codes.flatten(1).masked_fill(torch.arange(cells) >= k, 0).view_as(codes)
            started = time.process_time()
            y = net(so_far)[:, :, i, j]
            drawn = quantile(y, noise[:, k])
            naive += time.process_time() - started
            furthest = max(furthest, float((y - logits[k]).abs().max()))
            wrong += int((drawn != codes[:, i, j]).sum())
    naive *= cells / len(done)
    what = f"{given.batch} images of {side}x{side}, {given.layers} layers of {given.width} channels"
    times = f"cached {cached:.2f} s, naive {naive:.1f} s ({len(done)} pixels done), {naive / cached:.0f} times"
    print(f"{what}: {times}; logits within {furthest:.1e}, {wrong} of {len(done) * given.batch} pixels drawn otherwise")


if __name__ == "__main__":
    main()
