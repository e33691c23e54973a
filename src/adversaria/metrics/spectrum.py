"""The spectrum of images: blur lacks power in the highest octave, checkerboards have too much of it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.estimate import Z95, Estimate, Null


def high_octave(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Power of each image at frequencies above half the Nyquist frequency of its shorter side, per pixel.

    The Fourier transform is of the image less its mean under a Hann window, which keeps the jump between opposite
    edges from looking like detail.

    Raises:
        UserError: for images of fewer than 4 pixels a side, or that aren't finite.
    """
    if images.ndim != 4 or min(images.shape[2:]) < 4:
        raise UserError(f"images have shape {tuple(images.shape)}; expected (n, C, H, W) with 4 pixels a side or more")
    if not torch.isfinite(images).all():
        raise UserError("images hold values that are not finite; a spectrum of them means nothing")
    x = images.double()
    h, w = x.shape[2:]
    window = torch.outer(torch.hann_window(h + 2, False)[1:-1], torch.hann_window(w + 2, False)[1:-1]).to(x)
    centred = (x - x.mean((2, 3), keepdim=True)) * window
    power = torch.fft.fft2(centred).abs().square().mean(1) / (h * w)
    fy, fx = torch.fft.fftfreq(h).to(x), torch.fft.fftfreq(w).to(x)
    return power[:, (fy[:, None].square() + fx[None].square()).sqrt() >= 0.25].sum(1) / (h * w)


def high_frequency_ratio(*, real: Float[Tensor, "n c h w"], generated: Float[Tensor, "m c h w"]) -> Estimate:
    """Power of generated images in the highest octave over that of real ones: below 1 for blur, above for grain.

        E_y P(y) / E_x P(x),   P the power at frequencies of half the Nyquist frequency and more

    The standard error is that of a ratio of means (delta method), the limits those of its logarithm.

    Raises:
        UserError: where sizes differ, a set has fewer than two images, or real images have no such power.
    """
    if real.shape[1:] != generated.shape[1:] or min(len(real), len(generated)) < 2:
        raise UserError(
            f"images have shapes {tuple(real.shape)} and {tuple(generated.shape)}; expected two of each and equal sizes"
        )
    p, q = high_octave(real), high_octave(generated)
    if not p.mean() > 1e-24 * real.double().square().max():  # what rounding leaves of a constant's
        raise UserError("real images have no power at high frequencies (are they constant?); no ratio to it")
    ratio = float(q.mean() / p.mean())
    of_generated = q.var() / len(q) / q.mean() ** 2 if q.mean() > 0 else 0.0  # all constant: no power, surely
    relative = float((of_generated + p.var() / len(p) / p.mean() ** 2).sqrt())
    facts = {"n_real": len(p), "n_generated": len(q), "shape": "x".join(map(str, real.shape[1:]))}
    spread = math.exp(min(Z95 * relative, 50.0))
    return Estimate(
        "high-frequency power ratio", ratio, ratio * relative, len(q), protocol=facts, lower_is_better=None,
        limits=(ratio / spread, ratio * spread), null=Null(1.0, relative, 0, "equal spectra; its sd is the error here"),
    )  # fmt: skip
