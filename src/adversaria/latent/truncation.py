"""Truncated priors: likelier codes make better and more alike examples."""

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.latent.prior import EDGE, Prior


def truncated(z: Float[Tensor, "n k"], prior: Prior, t: float) -> Float[Tensor, "n k"]:
    """Draws of the prior turned into draws of the prior within t standard deviations of its mean.

        normal     u -> F^-1(F(-t) + F(u) (F(t) - F(-t))),   F the normal distribution function
        uniform    u -> u min(1, t / sqrt 3)

    Each coordinate u, in standard deviations, has then the law of one that is drawn again until it lies within +-t;
    since the map is monotone, the same draw at every t is the same example, made more typical. Discrete and other
    coordinates stay as they are.

    Brock et al. (2019), arXiv:1809.11096, Section 3.1.

    Raises:
        UserError: for a t that isn't positive, or a prior with neither normal nor uniform coordinates.
    """
    if not t > 0:
        raise UserError(f"t is {t}; give a number of standard deviations above 0")
    normal, uniform = prior.where("normal"), prior.where("uniform")
    if not bool((normal | uniform).any()):
        raise UserError("no coordinate of this model's codes is normal or uniform; there is nothing to truncate")
    u = prior.standard(z).double()
    below = torch.special.ndtr(u.new_tensor(-t))
    inner = torch.special.ndtri(below + torch.special.ndtr(u) * (1 - 2 * below)).clamp(-t, t)
    u = torch.where(normal, inner, torch.where(uniform, u * min(1.0, t / EDGE), u))
    return torch.where(normal | uniform, prior.restored(u.to(z)), z)
