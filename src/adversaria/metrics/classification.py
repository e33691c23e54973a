"""How often a classifier is wrong on held-out examples."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.shares import exact_interval


def classification_error(*, logits: Float[Tensor, "n K"], labels: Int[Tensor, " n"]) -> Estimate:
    """Share of examples whose largest logit isn't their label's, with the exact interval of a binomial share.

    Of equal logits the first counts. The standard error is sqrt(p (1 - p) / n), 0 where there is no error at all; the
    interval (Clopper and Pearson 1934) then still has an upper end. `details` holds the errors of each class.

    >>> found = classification_error(logits=torch.eye(3), labels=torch.tensor([0, 1, 1]))
    >>> found.details["errors"], [round(limit, 4) for limit in found.interval]
    (1, [0.0084, 0.9057])

    Args:
        logits: a row for each example, or any scores that rise with a class's probability.
        labels: the true classes.

    Raises:
        UserError: where there is no example, a label is no column, a logit is nan, or the numbers of rows differ.
    """
    n, classes = logits.shape
    if n == 0 or n != len(labels):
        raise UserError(f"{n} rows of logits and {len(labels)} labels; give one label for each of at least one row")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise UserError(f"labels reach from {int(labels.min())} to {int(labels.max())}, logits have {classes} columns; "
                        "give one logit for each class")  # fmt: skip
    if broken := int(logits.isnan().any(1).sum()):
        raise UserError(f"{broken} of {n} rows of logits hold nan; a classifier that diverged has no error rate")
    wrong = logits.argmax(1) != labels
    share, errors = float(wrong.double().mean()), int(wrong.sum())
    by_class = torch.bincount(labels[wrong], minlength=classes).tolist()
    return Estimate(
        "classification error", share, math.sqrt(share * (1 - share) / n), n, protocol={"classes": classes},
        limits=exact_interval(errors, n), details={"errors": errors, "errors_by_class": by_class},
        on_reference=(wrong.double() - share).cpu().numpy(),
    )  # fmt: skip
