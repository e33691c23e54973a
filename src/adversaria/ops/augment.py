"""Differentiable augmentations of images (n, C, H, W) in [-1, 1], drawn anew for each example.

A discriminator that sees data and samples through the same random, differentiable distortion can't learn its training
set by heart as easily, and the generator isn't asked for distorted images. Each takes `p`, an example's chance of being
touched.

Zhao et al. (2020), arXiv:2006.10738; Karras et al. (2020), arXiv:2006.06676, Appendix B.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n c h w"]
P = float | Tensor


def _chosen(x: Tensor, p: P) -> Tensor:
    """1 for the examples that are touched, 0 for the others: (n, 1, 1, 1)."""
    return (torch.rand(len(x), 1, 1, 1, device=x.device) < p).to(x.dtype)


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype) * (high - low) + low


def brightness(x: Images, p: P = 1.0, amount: float = 0.5) -> Images:
    """x + u, u ~ U[-amount, amount]."""
    return x + _chosen(x, p) * _uniform(x, -amount, amount)


def saturation(x: Images, p: P = 1.0) -> Images:
    """Distance from the pixel's mean over channels times u ~ U[0, 2]; grey images stay."""
    mean = x.mean(1, keepdim=True)
    return mean + (x - mean) * (1 + _chosen(x, p) * _uniform(x, -1.0, 1.0))


def contrast(x: Images, p: P = 1.0) -> Images:
    """Distance from the image's mean times u ~ U[0.5, 1.5]."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (1 + _chosen(x, p) * _uniform(x, -0.5, 0.5))


def translation(x: Images, p: P = 1.0, ratio: float = 0.125) -> Images:
    """Shifted by up to `ratio` of each side, in whole pixels; what comes in from outside is 0, a mid grey."""
    n, _, h, w = x.shape
    on = _chosen(x, p).view(n, 1)
    rows = _shifted(h, on, x, ratio)
    columns = _shifted(w, on, x, ratio)
    padded = F.pad(x, (1, 1, 1, 1))
    index = torch.arange(n, device=x.device)
    return padded.permute(0, 2, 3, 1)[index[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _shifted(side: int, on: Tensor, x: Tensor, ratio: float) -> Tensor:
    """Where each of `side` places of an image with a border of 1 comes from: (n, side)."""
    most = int(side * ratio + 0.5)
    shift = torch.randint(-most, most + 1, (len(x), 1), device=x.device) * on.long()
    return (torch.arange(side, device=x.device) + shift + 1).clamp(0, side + 1)


def cutout(x: Images, p: P = 1.0, ratio: float = 0.5) -> Images:
    """A rectangle of `ratio` of each side, its middle anywhere in the image, set to 0."""
    h, w = x.shape[2:]
    inside = [_within(side, x, ratio) for side in (h, w)]
    hidden = inside[0][:, :, None] & inside[1][:, None, :]
    return x * (1 - _chosen(x, p) * hidden[:, None].to(x.dtype))


def _within(side: int, x: Tensor, ratio: float) -> Tensor:
    length = int(side * ratio + 0.5)
    start = torch.randint(0, side + (1 - length % 2), (len(x), 1), device=x.device) - length // 2
    place = torch.arange(side, device=x.device)
    return (place >= start) & (place < start + length)


def flip(x: Images, p: P = 1.0) -> Images:
    """Mirrored left to right, with half of the chance: the mirror is drawn from both ways round."""
    on = _chosen(x, p) * (_uniform(x, 0.0, 1.0) < 0.5)
    return torch.where(on.bool(), x.flip(3), x)


def quarter_turns(x: Images, p: P = 1.0) -> Images:
    """Turned by 0, 1, 2 or 3 quarters; images that aren't square by 0 or 2."""
    turns = 4 if x.shape[2] == x.shape[3] else 2
    k = (torch.randint(0, turns, (len(x), 1, 1, 1), device=x.device) * _chosen(x, p).long()) * (4 // turns)
    for quarter in range(4 // turns, 4, 4 // turns):
        x = torch.where(k == quarter, torch.rot90(x, quarter, (2, 3)), x)
    return x


def affine(x: Images, p: P = 1.0, scale: float = 0.2, turn: float = math.pi, shift: float = 0.125) -> Images:
    """Scaled by 2^N(0, scale^2), in all and along an axis, turned by U[-turn, turn], moved by N(0, shift^2) of a side.

    Each of the four with chance `p` of its own; bilinear, with reflected borders.
    """
    n, _, h, w = x.shape

    def drawn(values: Tensor) -> Tensor:
        return (values * _chosen(x, p)).view(n)

    size = 2 ** drawn(torch.randn(n, 1, 1, 1, device=x.device, dtype=x.dtype) * scale)
    stretch = 2 ** drawn(torch.randn(n, 1, 1, 1, device=x.device, dtype=x.dtype) * scale)
    angle = drawn(_uniform(x, -turn, turn))
    moved = torch.randn(n, 2, 1, 1, device=x.device, dtype=x.dtype) * 2 * shift * _chosen(x, p)
    cos, sin = angle.cos() / size, angle.sin() / size
    a, aspect = moved.view(n, 2), h / w
    matrix = torch.stack([
        torch.stack([cos / stretch, -sin * aspect / stretch, a[:, 0]], 1),
        torch.stack([sin / aspect * stretch, cos * stretch, a[:, 1]], 1),
    ], 1)  # fmt: skip
    grid = F.affine_grid(matrix, [n, 1, h, w], align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def differentiable(x: Images) -> Images:
    """Colour, translation and cutout, always; arXiv:2006.10738, Section 3."""
    return cutout(translation(contrast(saturation(brightness(x)))))


def adaptive(x: Images, p: P) -> Images:
    """Flips, turns, shifts, scales and colours, each with chance `p`; arXiv:2006.06676, Section 3 and Appendix B."""
    x = affine(translation(quarter_turns(flip(x, p), p), p), p)
    return saturation(contrast(brightness(x, p, 0.2), p), p)
