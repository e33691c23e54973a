"""The classifier two-sample test: what a classifier that was trained for it can tell apart on rows it has not seen."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Z95, Estimate, Null
from adversaria.metrics.two_sample import reached, relabelled

_RIDGE = 1e-2
_CLIP = 20.0
_BATCH = 128
_STEPS = (100, 2000)
_LOOK = 20


class _Half(NamedTuple):
    """Rows of both sets with their labels, 1 for real."""

    x: Tensor
    label: Tensor


def classifier_test(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], hidden: int = 32, epochs: int = 60,
    permutations: int = 500, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Area under the ROC curve, on held-out rows, of a classifier that learned real from generated; 0.5 is ideal.

        AUC = P(l(x) > l(y)) + P(l(x) = l(y)) / 2,   l = log p(real | .) - log p(generated | .) fitted to other rows

    The larger set is cut to the size of the smaller, and each is split in halves at random. On the training halves,
    standardised, a logistic regression and a network with one hidden layer are fitted; a fifth of them, kept apart,
    chooses between the two. p comes from permuting labels over the logits of the test halves, so it is exact whatever
    the classifier. `details` holds accuracy with its limits, the accuracy that a test of this size detects four times
    in five, and lower bounds, in nats, of the divergences between the laws:

        KL(p|q) >= E_p l - E_q e^l + 1,   JSD >= log 2 + E_p log s(l) / 2 + E_q log s(-l) / 2     s the sigmoid

    Lopez-Paz and Oquab (2017), arXiv:1610.06545; the bounds: Nguyen, Wainwright and Jordan (2010), arXiv:0809.0853,
    and Goodfellow et al. (2014), arXiv:1406.2661, Equation 6; the standard error: DeLong et al. (1988).

    Args:
        real: reference features.
        generated: features of the model's samples.
        hidden: units of the network.
        epochs: of its training, at most; the fifth kept apart says when to stop.
        permutations: for p and the null.
        seed: of split, initial weights, batches and permutations.

    Raises:
        UserError: for sets that can't be compared, have fewer than 20 rows, or do not vary.
    """
    checked(20, real=real, generated=generated)
    at_least("hidden", hidden, 1)
    at_least("epochs", epochs, 1)
    train, test = _halves(real, generated, seed)
    logits, found = _fitted(train, test.x, hidden, epochs, seed)
    n = len(test.x) // 2
    p, q = logits[:n], logits[n:]
    # Midranks: the AUC is linear in them, so that all permutations are one product.
    ranks = torch.from_numpy(stats.rankdata(logits.numpy()))
    labels = relabelled(n, 2 * n, permutations, seed)
    null = _area(labels @ ranks, n)
    value = float(_area(ranks[:n].sum(), n))
    error, limits = _delong(p, q, value)
    right = int((p > 0).sum() + (q < 0).sum()) + (int((p == 0).sum() + (q == 0).sum())) // 2
    protocol = facts(real=real, generated=generated) | {
        "classifier": f"logistic, or 1 x {hidden} ReLU", "epochs": epochs, "split": "half for training",
        "n_test": 2 * n, "permutations": permutations, "seed": seed,
    }  # fmt: skip
    return Estimate(
        "classifier two-sample AUC", value, error, 2 * n, protocol=protocol, limits=limits,
        bias="what this classifier tells apart; another may tell apart more",
        p=reached(value, null, 1.0),
        null=Null(float(null.mean()), float(null.std()), permutations, "permutations of the test labels"),
        details=found | _accuracy(right, 2 * n) | _bounds(p, q),
    )  # fmt: skip


def detectable(n_test: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The least accuracy that a test on `n_test` rows finds above chance with this probability.

        power = Phi((e sqrt(n) - z_alpha / 2) / sqrt(1/4 - e^2)),   accuracy = 1/2 + e

    Lopez-Paz and Oquab (2017), arXiv:1610.06545, Theorem 1.

    >>> round(detectable(1000) - 0.5, 3), round(detectable(10_000) - 0.5, 4)
    (0.039, 0.0124)
    """
    z, w = float(stats.norm.isf(alpha)) / 2, float(stats.norm.ppf(power))
    # e sqrt(n) = z + w sqrt(1/4 - e^2), a quadratic in e
    a, b, c = n_test + w * w, -2 * z * math.sqrt(n_test), z * z - w * w / 4
    return min(0.5 + (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a), 1.0)


def _halves(real: Tensor, generated: Tensor, seed: int) -> tuple[_Half, _Half]:
    """Training and test halves of both sets, cut to one size, standardised by the training half."""
    generator = torch.Generator().manual_seed(seed)
    n = min(len(real), len(generated))
    parts = []
    for x in (real, generated):
        order = torch.randperm(len(x), generator=generator)[:n].to(x.device)
        parts.append(x.detach()[order].double().cpu())
    cut = n // 2
    fit, held = torch.cat([part[:cut] for part in parts]), torch.cat([part[cut:] for part in parts])
    mean, sd = fit.mean(0), fit.std(0)
    varies = sd > 1e-12 * fit.abs().amax(0)
    if not varies.any():
        raise UserError("no feature varies over the training halves of both sets; there is nothing to tell apart")
    halves = []
    for x, k in ((fit, cut), (held, n - cut)):
        label = torch.cat([torch.ones(k, dtype=torch.float64), torch.zeros(k, dtype=torch.float64)])
        halves.append(_Half(torch.where(varies, (x - mean) / sd.where(varies, torch.ones_like(sd)), x - mean), label))
    return halves[0], halves[1]


def _fitted(train: _Half, x: Tensor, hidden: int, epochs: int, seed: int) -> tuple[Tensor, dict[str, Any]]:
    """Logits (n,) at `x` of the better of two classifiers, and each one's loss on the fifth kept apart."""
    generator = torch.Generator().manual_seed(seed + 1)
    order = torch.randperm(len(train.x), generator=generator)
    fifth = max(2, len(order) // 5)
    kept, rest = (_Half(train.x[i], train.label[i]) for i in (order[:fifth], order[fifth:]))
    w = _logistic(rest)
    net, loss_net = _network(rest, kept, hidden, epochs, generator)
    loss_logistic = _loss(_linear(w, kept.x), kept.label)
    with torch.no_grad():
        linear, bent = _linear(_logistic(train), x), net(x.float()).double().flatten()
    logits = linear if loss_logistic <= loss_net else bent
    found = {"classifier": "logistic" if loss_logistic <= loss_net else "network",
             "loss_logistic": loss_logistic, "loss_network": loss_net}  # fmt: skip
    return logits, found


def _linear(w: Tensor, x: Tensor) -> Tensor:
    return x @ w[:-1] + w[-1]


def _loss(logits: Tensor, label: Tensor) -> float:
    return float(F.binary_cross_entropy_with_logits(logits, label))


def _logistic(half: _Half) -> Tensor:
    """Weights (d + 1,), the constant last, of ridge logistic regression, by L-BFGS from 0."""
    w = torch.zeros(half.x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=50, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(_linear(w, half.x), half.label) + _RIDGE * w[:-1].square().sum() / 2
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return w.detach()


def _network(fit: _Half, kept: _Half, hidden: int, epochs: int, generator: torch.Generator) -> tuple[nn.Module, float]:
    """A network of one hidden layer as it was where its loss on `kept` was least, and that loss."""
    d = fit.x.shape[1]
    first, last = (nn.utils.skip_init(nn.Linear, *sizes, dtype=torch.float32) for sizes in ((d, hidden), (hidden, 1)))
    net = nn.Sequential(first, nn.ReLU(), last)
    with torch.no_grad():
        for p, fan in zip(net.parameters(), (d, d, hidden, hidden), strict=True):
            p.uniform_(-(fan**-0.5), fan**-0.5, generator=generator)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=1e-4, fused=True)
    x, label = fit.x.float(), fit.label.float()
    x_kept, label_kept = kept.x.float(), kept.label.float()
    batches = max(1, len(x) // _BATCH)
    steps = min(max(epochs * batches, _STEPS[0]), _STEPS[1])
    best, state, order = math.inf, {}, torch.empty(0, dtype=torch.long)
    with torch.enable_grad():
        for step in range(steps):
            if step % batches == 0:
                order = torch.randperm(len(x), generator=generator)
            rows = order[step % batches :: batches]
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[rows]).flatten(), label[rows]).backward()
            optimizer.step()
            if step % _LOOK == _LOOK - 1:
                with torch.no_grad():
                    loss = _loss(net(x_kept).flatten(), label_kept)
                if loss < best:
                    best, state = loss, {k: v.clone() for k, v in net.state_dict().items()}
                elif loss > 1.5 * best:
                    break
    net.load_state_dict(state)
    return net, best


def _area(rank_sum: Tensor, n: int) -> Tensor:
    """The AUC from the sum of the ranks of the n real rows among 2n (Mann and Whitney)."""
    return (rank_sum - n * (n + 1) / 2) / (n * n)


def _delong(p: Tensor, q: Tensor, auc: float) -> tuple[float, tuple[float, float]]:
    """Standard error of the AUC, and limits; where the sets are in order without exception, those of n pairs."""
    n = len(p)
    if auc in (0.0, 1.0):
        least = 0.025 ** (1 / n)
        return math.nan, ((least, 1.0) if auc == 1 else (0.0, 1 - least))
    below = [_placed(p, q), 1 - _placed(q, p)]
    error = math.sqrt(sum(float(v.var()) / n for v in below))
    return error, (max(auc - Z95 * error, 0.0), min(auc + Z95 * error, 1.0))


def _placed(p: Tensor, q: Tensor) -> Tensor:
    """The share of q below each of p (n,), ties half."""
    ordered = q.sort().values
    left, right = torch.searchsorted(ordered, p), torch.searchsorted(ordered, p, right=True)
    return (left + right).double() / (2 * len(q))


def _accuracy(right: int, n: int) -> dict[str, Any]:
    """Share classified rightly, its Clopper-Pearson limits, its binomial p, and what a test of this size detects."""
    test = stats.binomtest(right, n, 0.5, alternative="greater")
    limits = stats.binomtest(right, n).proportion_ci(0.95, "exact")
    return {"accuracy": right / n, "accuracy_limits": (float(limits.low), float(limits.high)),
            "accuracy_p": float(test.pvalue), "detectable_accuracy": detectable(n)}  # fmt: skip


def _bounds(p: Tensor, q: Tensor) -> dict[str, float]:
    """Lower bounds of divergences with standard errors, in nats; clipped logits are logits of a classifier too."""
    p, q = p.clamp(-_CLIP, _CLIP), q.clamp(-_CLIP, _CLIP)
    terms = {
        "kl_real_generated": (p + 1, -q.exp()),
        "kl_generated_real": (-p.neg().exp(), -q + 1),
        "jsd": (math.log(2) + F.logsigmoid(p) / 2, F.logsigmoid(-q) / 2),
    }
    found = {}
    for name, (a, b) in terms.items():
        found[name] = float(a.mean() + b.mean())
        found[f"{name}_error"] = float((a.var() / len(a) + b.var() / len(b)).sqrt())
    return found | {"mean_ratio_on_generated": float(q.exp().mean())}
