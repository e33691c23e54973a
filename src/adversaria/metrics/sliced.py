"""Distances between two samples along random directions."""

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate


def sliced_wasserstein(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], directions: int = 256, blocks: int = 5,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Mean over directions of the Wasserstein-1 distance between the samples' projections, times sqrt(d).

        sqrt(d) E_u W_1(u . x, u . y),   u uniform on the sphere

    The factor makes a shift of every coordinate by c count as about 0.8 c sqrt(d) in any d. Both samples are cut in
    `blocks`; the standard error is that of the mean of the blocks' distances. Like every plug-in distance it is above
    0 for two samples of one distribution, the more so the fewer there are; compare it with its value between two real
    sets.

    Rabin et al. (2011); Bonneel et al. (2015), Section 3.

    Raises:
        UserError: where the sets differ in shape, hold what is not finite, or have fewer than two rows a block.
    """
    checked(2 * blocks, real=real, generated=generated)
    if len(real) != len(generated):
        raise UserError(f"sets have {len(real)} and {len(generated)} rows; take as many of both")
    n = len(real) // blocks
    generator = torch.Generator().manual_seed(seed)
    d = real.shape[1]
    u = torch.randn(d, directions, generator=generator, dtype=torch.float64)
    u = (u / u.norm(dim=0)).to(real)
    distances = []
    for i in range(blocks):
        block = slice(i * n, (i + 1) * n)
        x, y = (real[block] @ u).sort(0).values, (generated[block] @ u).sort(0).values
        distances.append(float((x - y).abs().mean()) * d**0.5)
    values = torch.tensor(distances, dtype=torch.float64)
    protocol = facts(real=real, generated=generated)
    protocol |= {"blocks": blocks, "directions": directions, "direction_seed": seed}
    return Estimate("sliced Wasserstein", float(values.mean()), float(values.std() / blocks**0.5), blocks * n,
                    protocol=protocol)  # fmt: skip
