"""The Vendi score: the effective number of different examples in a sample."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate


def vendi_score(
    *, generated: Float[Tensor, "n d"] | None = None, kernel: Float[Tensor, "n n"] | None = None
) -> Estimate:
    """exp of the entropy of the eigenvalues of K/n, for a similarity K with k(x, x) = 1.

        exp(-sum_i l_i log l_i),   l the eigenvalues of K / n

    From features: K is the inner product of rows scaled to length 1, whose eigenvalues are those of the d x d matrix of
    second moments where n > d. It lies between 1 (all alike) and n (nothing in common). It grows with n, most of all
    for a kernel that sees few examples as alike: compare at equal n, and with real examples. It measures spread only:
    noise scores high. Standard error by the infinitesimal jackknife: each example's influence on the entropy is
    -sum_i l_i' log l_i - H, with l_i' the part of eigenvector i in it.

    Friedman and Dieng (2023), arXiv:2210.02410, Definition 3.1.

    >>> round(vendi_score(kernel=torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])).value, 4)
    2.1573

    Args:
        generated: features; a row of zeros has no direction and is refused.
        kernel: in their place, similarities: symmetric, positive semi-definite, 1 on the diagonal.

    Raises:
        UserError: for both or neither, fewer than two examples, a matrix that is no such kernel, or what is not finite.
    """
    if (generated is None) == (kernel is None):
        raise UserError("give either generated= (features) or kernel= (similarities), one of them")
    if generated is not None:
        protocol = facts(generated=generated) | {"kernel": "inner product of unit vectors"}
        values, shares = _of_features(generated.detach())
    else:
        assert kernel is not None
        protocol = {"n_generated": len(kernel), "kernel": "given"}
        values, shares = _of_kernel(kernel.detach())
    n = len(shares)
    logs = values.log()
    entropy = -float((values * logs).sum())
    influence = -(shares @ logs)  # but for its mean
    value = math.exp(entropy)
    details = {"entropy": entropy, "largest_eigenvalue": float(values.max()), "rank": len(values)}
    return Estimate("Vendi score", value, value * float(influence.std()) / n**0.5, n, "effective examples", protocol,
                    False, bias="grows with n: compare at equal n", details=details)  # fmt: skip


def _of_features(x: Tensor) -> tuple[Tensor, Tensor]:
    """Positive eigenvalues (r,) of K/n, and each example's part in them (n, r), whose mean they are."""
    checked(generated=x)
    lengths = x.double().norm(dim=1, keepdim=True)
    if not lengths.all():
        raise UserError(f"{int((lengths == 0).sum())} rows of generated are 0 and have no direction; drop them")
    unit = x.double() / lengths
    n, d = unit.shape
    if n <= d:
        return _of_symmetric(unit @ unit.T)
    values, vectors = torch.linalg.eigh(unit.T @ unit / n)
    kept = values > d * torch.finfo(values.dtype).eps
    return values[kept], (unit @ vectors[:, kept]).square()


def _of_kernel(K: Tensor) -> tuple[Tensor, Tensor]:
    checked(kernel=K)
    if K.shape[0] != K.shape[1]:
        raise UserError(f"kernel has shape {tuple(K.shape)}; expected (n, n), all pairs of one sample")
    K = K.double()
    if float((K - K.T).abs().max()) > 1e-5:
        raise UserError("kernel is not symmetric; a similarity has k(x, y) = k(y, x)")
    if float((K.diagonal() - 1).abs().max()) > 1e-5:
        raise UserError("kernel is not 1 on its diagonal; divide k(x, y) by the root of k(x, x) k(y, y)")
    return _of_symmetric((K + K.T) / 2)


def _of_symmetric(K: Tensor) -> tuple[Tensor, Tensor]:
    n = len(K)
    values, vectors = torch.linalg.eigh(K / n)
    if float(values.min()) < -1e-5:
        raise UserError(f"kernel has the eigenvalue {n * float(values.min()):.3g}; a similarity has none below 0")
    kept = values > n * torch.finfo(values.dtype).eps
    return values[kept], n * values[kept] * vectors[:, kept].square()
