"""Flows of points against zuko's at the same weights: how far log-probabilities differ, and seconds for a batch.

    pip install "zuko>=1.6,<2"
    python benchmarks/flows.py [--sizes 2,64,784] [--batch 1024] [--layers 5] [--hidden 64] [--repeats 9]

Both have the same weights and masks: zuko's flow is built of its own transforms and networks, with ours in them. For
log-probabilities what our networks tell is turned into what its transforms take, which bound scales by another curve;
the difference is the largest of a batch, over the largest |log p|, in float64. What is timed goes without that turn, in
float32, on one thread, without gradient, the two by turns; the ratio is the median over repeats of zuko's time by ours,
with the lowest and the highest, so that above 1 ours is the faster.
"""

import argparse
import copy
import math
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from adversaria.distributions import log_normal
from adversaria.nn.flows import Autoregressive, Composite, Flow, Inverse, Reversal
from adversaria.nn.mlp import MLP
from adversaria.nn.splines import Splines, bins_of

try:
    import zuko
except ImportError:
    raise SystemExit('this compares with zuko, which is not installed: pip install "zuko>=1.6,<2"') from None

BINS, EDGE = 8, 4.0


def ours(name: str, d: int, layers: int, hidden: int) -> Composite:
    """The recipe's layers, but for the normalisation between them."""
    parts: list[Flow] = []
    for k in range(layers):
        if name == "splines":
            mask = (torch.arange(d) % 2 == k % 2).float()
            read = MLP(d, int((mask == 0).sum()) * (3 * BINS - 1), hidden, 2)
            parts.append(Splines(mask, read, BINS, EDGE))
        else:
            layer = Autoregressive(d, hidden)
            parts += [Inverse(layer) if name == "iaf" else layer, Reversal()]
    flow = Composite(parts)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return flow


def unbounded(y: Tensor, bound: float) -> Tensor:
    """What zuko bounds to y, by s / (1 + |s| / bound)."""
    return y / (1 - y.abs() / bound)


def affine(m: Tensor, a: Tensor) -> zuko.transforms.Transform:
    """z = (x - m) exp(-a) of our outputs, by zuko's x exp(s) + t."""
    log_scale = -3 * torch.tanh(a / 3)
    return zuko.transforms.MonotonicAffineTransform(-m * log_scale.exp(), unbounded(log_scale, -math.log(1e-3)))


def rational(*raw: Tensor) -> zuko.transforms.Transform:
    """Our spline of the network's numbers, by zuko's."""
    widths, heights, slopes = bins_of(torch.cat(raw, -1), BINS, EDGE)
    half = -math.log(1e-3) / 2
    logs = ((part / (2 * EDGE)).log() for part in (widths, heights))
    w, h = (unbounded(log - (log.amax(-1, keepdim=True) + log.amin(-1, keepdim=True)) / 2, half) for log in logs)
    slopes = unbounded(slopes[..., 1:-1].log(), 2 * half)
    return zuko.transforms.MonotonicRQSTransform(w, h, slopes, bound=EDGE, slope=1e-3)


def twin(flow: Composite, d: int, hidden: int, plain: bool = False) -> zuko.flows.Flow:
    """zuko's flow of the same networks, and of the same function unless it is `plain`, with zuko's own bounds."""
    parts: list[nn.Module] = []
    for layer in flow.maps:
        if isinstance(layer, Reversal):
            turned = zuko.transforms.PermutationTransform
            parts.append(zuko.flows.UnconditionalTransform(turned, torch.arange(d).flip(0), buffer=True))
        elif isinstance(layer, Splines):
            parts.append(coupling(layer, d, hidden, plain))
        elif isinstance(layer, Inverse):
            parts.append(zuko.flows.LazyInverse(autoregressive(layer.flow, d, hidden, plain)))
        else:
            parts.append(autoregressive(layer, d, hidden, plain))
    normal = zuko.distributions.DiagNormal
    return zuko.flows.Flow(
        parts, zuko.flows.UnconditionalDistribution(normal, torch.zeros(d), torch.ones(d), buffer=True)
    )


def autoregressive(layer: Autoregressive, d: int, hidden: int, plain: bool) -> nn.Module:
    """zuko's layer with our network's weights and masks; its outputs lie coordinate by coordinate."""
    univariate = {} if plain else {"univariate": affine}
    told = zuko.flows.MaskedAutoregressiveTransform(
        d, hidden_features=(hidden, hidden), activation=nn.ELU, **univariate
    )
    masked = [part for part in told.hyper if isinstance(part, nn.Linear)]
    net = layer.net
    for mine, its in zip((net.first, net.second, net.last), masked, strict=True):
        its.weight.data, its.bias.data, its.mask = mine.weight.data.clone(), mine.bias.data.clone(), mine.mask.bool()
    last = masked[-1]
    for name in ("weight", "bias", "mask"):
        lying = getattr(last, name).data.unflatten(0, (2, d)).transpose(0, 1).flatten(0, 1)
        if name == "mask":
            last.mask = lying
        else:
            getattr(last, name).data = lying.contiguous()
    return told


def coupling(layer: Splines, d: int, hidden: int, plain: bool) -> nn.Module:
    """zuko's layer with our network's weights; it reads the coordinates that say how alone."""
    own = partial(zuko.transforms.MonotonicRQSTransform, bound=EDGE)
    told = zuko.flows.GeneralCouplingTransform(
        d, mask=layer.mask.bool(), univariate=own if plain else rational, shapes=[(BINS,), (BINS,), (BINS - 1,)],
        hidden_features=(hidden, hidden),
    )  # fmt: skip
    mine = [part for part in layer.read.modules() if isinstance(part, nn.Linear)]
    its = [part for part in told.hyper if hasattr(part, "weight")]
    for one, other in zip(mine, its, strict=True):
        other.weight.data, other.bias.data = one.weight.data.clone(), one.bias.data.clone()
    its[0].weight.data = its[0].weight.data[:, layer.mask.bool()].contiguous()
    return told


def log_prob(flow: Composite, x: Tensor) -> Tensor:
    """log p(x), (n,)."""
    z, log_det = flow(x)
    return log_normal(z) + log_det


def differences(flow: Composite, d: int, hidden: int, n: int) -> float:
    """Largest difference of log-probabilities from zuko's in float64, over the largest log-probability."""
    flow, x = copy.deepcopy(flow).double(), torch.randn(n, d, dtype=torch.float64)
    with torch.no_grad():
        told = log_prob(flow, x)
        return float((told - twin(flow, d, hidden).double()().log_prob(x)).abs().max() / told.abs().max())


def seconds(one: Callable[[], object]) -> float:
    """Of one call, of this process."""
    started = time.process_time()
    one()
    return time.process_time() - started


def by_turns(ours: Callable[[], object], other: Callable[[], object], repeats: int) -> str:
    """Median seconds of both, and the ratio with its range."""
    ours(), other()
    pairs = [(seconds(ours), seconds(other)) for _ in range(repeats)]
    ratios = [b / a for a, b in pairs]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    spread = f"[{min(ratios):.2f}, {max(ratios):.2f}]"
    return f"{1e3 * a:9.1f} {1e3 * b:9.1f}   {statistics.median(ratios):6.2f} {spread}"


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="2,64,784")
    for name, value in {"batch": 1024, "layers": 5, "hidden": 64, "repeats": 9}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{given.layers} layers of two hidden layers of {given.hidden} units, batch {given.batch}, "
          f"torch {torch.__version__}, zuko {zuko.__version__}")  # fmt: skip
    print("                               ours, ms zuko, ms    ratio")
    for name in ("maf", "iaf", "splines"):
        for d in map(int, given.sizes.split(",")):
            torch.manual_seed(0)
            flow = ours(name, d, given.layers, given.hidden)
            apart = differences(flow, d, given.hidden, 32)
            density, drawn = timed(name, flow, twin(flow, d, given.hidden, plain=True)(), d, given)
            print(f"{name:<8} d = {d:<4} density    {density}    log p within {apart:.1e}", flush=True)
            print(f"{name:<8} d = {d:<4} samples    {drawn}", flush=True)


@torch.no_grad()
def timed(name: str, flow: Composite, other: Any, d: int, given: argparse.Namespace) -> tuple[str, str]:
    """Density of a batch, and samples."""
    x, z = torch.randn(2, given.batch, d)
    # The slow direction of a peer takes a pass for each coordinate: fewer repeats do.
    slow = max(1, given.repeats // 4) if d > 100 and name != "splines" else given.repeats
    density = by_turns(lambda: log_prob(flow, x), lambda: other.log_prob(x), slow if name == "iaf" else given.repeats)
    drawn = by_turns(lambda: flow.inverse(z), lambda: other.transform.inv(z), slow if name == "maf" else given.repeats)
    return density, drawn


if __name__ == "__main__":
    main()
