"""Inception Score's form, for any classifier: how sure it is of each example and how evenly it uses its classes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate


def classifier_score(
    *, probabilities: Float[Tensor, "n K"] | None = None, logits: Float[Tensor, "n K"] | None = None,
    name: str = "classifier score",
) -> Estimate:  # fmt: skip
    """exp of the mutual information between an example and its class, less the first-order bias.

        exp(I),   I = E KL(p(y|x) || p(y)),   1 <= exp(I) <= K

    All n examples at once: splits would add bias and make the order matter. I comes out too small by
    sum_k Var(p_k) / (2 n p_k), and exp of a noisy number too large by half its variance; both are taken off, so that a
    value may pass K by chance. The standard error adds to the variance of KL(p(y|x) || p(y)) that of the second-order
    term, which is all there is where every class is used alike. One score means nothing without that of held-out real
    examples under the same classifier, whose name should be in `name` or the protocol.

    Salimans et al. (2016), arXiv:1606.03498; on its use, Barratt and Sharma (2018), arXiv:1801.01973.

    >>> even = torch.eye(10).repeat(50, 1)
    >>> round(classifier_score(probabilities=even).details["raw"], 9)
    10.0

    Args:
        probabilities: a row for each example, summing to 1.
        logits: in their place, before the softmax.
        name: what the score is called.

    Raises:
        UserError: for one class, fewer than two rows, rows that don't sum to 1, or what is not finite.
    """
    p = _rows(probabilities, logits)
    n, classes = p.shape
    marginal = p.mean(0)
    divergence = torch.special.xlogy(p, p).sum(1) - torch.special.xlogy(p, marginal).sum(1)
    information = max(float(divergence.mean()), 0.0)
    used = marginal > 0
    white = (p[:, used] - marginal[used]) / marginal[used].sqrt()
    covariance = white.T @ white / (n - 1)
    bias = -float(covariance.trace()) / (2 * n)
    # The marginal's own noise is in the divergences' variance; once taken out, it counts in the second order.
    second = float(covariance.square().sum()) / n
    variance = max(float(divergence.var()) - second, 0.0) / n + second / (2 * n)
    value = math.exp(information - bias - variance / 2)
    details = {
        "raw": math.exp(information), "mutual_information": information, "bias_of_information": bias,
        "entropy_of_marginal": float(-torch.special.xlogy(marginal, marginal).sum()), "classes_used": int(used.sum()),
    }  # fmt: skip
    note = f"first-order bias removed ({bias:.2g} nats)"
    if bias < -0.1:
        note += f"; warn: {n} examples for {classes} classes, much of the bias stays: take more"
    taken = facts(generated=p) | {"classes": classes, "splits": 1}
    del taken["d"], taken["dtype"]
    return Estimate(name, value, value * math.sqrt(variance), n, protocol=taken, details=details, bias=note,
                    lower_is_better=False)  # fmt: skip


def _rows(probabilities: Tensor | None, logits: Tensor | None) -> Tensor:
    """Class probabilities in float64, checked."""
    if (probabilities is None) == (logits is None):
        raise UserError("give either probabilities= or logits=, one of them")
    given = probabilities if logits is None else logits
    assert given is not None
    given = given.detach()
    (p,) = checked(logits=given) if probabilities is None else checked(probabilities=given)
    if p.shape[1] < 2:
        raise UserError("1 class; a score needs 2 or more: it is 1 for whatever is drawn")
    if probabilities is None:
        return p.double().softmax(1)
    p = p.double()
    if float(p.min()) < 0:
        raise UserError(f"a probability is {float(p.min()):.4g}; give numbers from 0 to 1, or logits=")
    total = p.sum(1)
    off = (total - 1).abs() > 1e-3
    if off.any():
        first = int(off.nonzero()[0])
        raise UserError(f"{int(off.sum())} of {len(p)} rows don't sum to 1 (row {first}: {float(total[first]):.4g}); "
                        "give probabilities, or logits=")  # fmt: skip
    return p / total[:, None]
