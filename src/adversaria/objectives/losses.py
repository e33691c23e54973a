"""Adversarial losses with both players' sides: logits in, named scalar terms out, all to be minimised.

    discriminator(real, fake)   what the discriminator wants of its logits on data and on samples
    generator(fake, real)       what the generator wants of those on its samples; `real` matters where `paired`
    mirror(real)                what an encoder wants, in a joint game, of those on its pairs, which stand for data:
                                that they look decoded. The generators' side is generator(...) | mirror(...).

p and q are the densities of data and samples, D* is the best discriminator, JSD the Jensen-Shannon divergence and TV
the total variation, half of int |p - q|. Half-precision logits are widened before anything is done with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.objectives.adversarial import (
    hinge_fake,
    hinge_real,
    is_fake,
    is_real,
    mostly_real,
    saturating,
    squared_to,
)
from adversaria.ops import widened

LossName = Literal["non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic"]
Logits = Float[Tensor, "..."]
Terms = dict[str, Tensor]


class Loss(Protocol):
    """Both players' objectives on a discriminator's logits."""

    @property
    def paired(self) -> bool:
        """Whether the generator's side compares its samples' logits with the data's."""
        ...

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """The discriminator's terms."""
        ...

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """The generator's terms."""
        ...

    def mirror(self, real: Logits) -> Terms:
        """The encoder's terms in a joint game, under other names than the generator's."""
        ...


@dataclass(frozen=True)
class _Logistic:
    """D = sigmoid(logits), with the target 1 - smooth on data and 0 on samples."""

    smooth: float = 0.0
    paired: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.smooth < 1:
            raise UserError(f"smooth is {self.smooth:g}; the target on data is 1 - smooth, so give 0 or more, below 1")

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """-(1 - s) E_p log D - s E_p log(1 - D), and -E_q log(1 - D)."""
        real = widened(real)
        return {
            "real": mostly_real(real, self.smooth) if self.smooth else is_real(real),
            "fake": is_fake(widened(fake)),
        }


@dataclass(frozen=True)
class NonSaturating(_Logistic):
    """The logistic loss, with a generator that is pushed hardest where it is furthest off.

        discriminator   -E_p log D - E_q log(1 - D),    at best log 4 - 2 JSD(p, q), with D* = p / (p + q)
        generator       -E_q log D                      its gradient at D* is that of KL(q, p) - 2 JSD(p, q)
        mirror          -E_p log(1 - D)

    One-sided smoothing by s changes the discriminator's target on data alone, to 1 - s: D* = (1 - s) p / (p + q).

    Goodfellow et al. (2014), arXiv:1406.2661, Theorem 1 and Section 3; Arjovsky and Bottou (2017), arXiv:1701.04862,
    Theorem 2.5; Salimans et al. (2016), arXiv:1606.03498, Section 3.4; Dumoulin et al. (2017), arXiv:1606.00704.

    >>> import torch; terms = NonSaturating(smooth=0.1).discriminator(torch.tensor([2.0]), torch.tensor([0.0]))
    >>> {name: round(term.item(), 4) for name, term in terms.items()}
    {'real': 0.3269, 'fake': 0.6931}
    """

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """-E_q log D."""
        return {"non-saturating": is_real(widened(fake))}

    def mirror(self, real: Logits) -> Terms:
        """-E_p log(1 - D)."""
        return {"mirror": is_fake(widened(real))}


@dataclass(frozen=True)
class Minimax(_Logistic):
    """The logistic loss as a zero-sum game.

        discriminator   -E_p log D - E_q log(1 - D),    at best log 4 - 2 JSD(p, q), with D* = p / (p + q)
        generator       E_q log(1 - D)                  its gradient at D* is that of 2 JSD(p, q)
        mirror          E_p log D

    Smoothing is the discriminator's, as in `NonSaturating`; the sum of both sides is 0 without it.

    Goodfellow et al. (2014), arXiv:1406.2661, Eq. 1 and Theorem 1.
    """

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """E_q log(1 - D)."""
        return {"minimax": saturating(widened(fake))}

    def mirror(self, real: Logits) -> Terms:
        """E_p log D."""
        return {"mirror": -is_real(widened(real))}


@dataclass(frozen=True)
class LeastSquares:
    """Logits are drawn to codes: b on data, a on samples; the generator wants c.

        discriminator   E_p (D - b)^2 + E_q (D - a)^2,      D* = (b p + a q) / (p + q)
        generator       E_q (D - c)^2
        mirror          E_p (D - c')^2,  c' = a + b - c: what c becomes when a and b change places

    Twice the paper's terms. At best the discriminator has (b - a)^2 int p q / (p + q). With b - c = 1 and b - a = 2, as
    in (-1, 1, 0), generator and mirror at D* sum to the Pearson chi^2 divergence int (p - q)^2 / (p + q) of 2 q from
    p + q; a move of the generator, which holds D* fixed, isn't along that sum's gradient. With (0, 1, 1), the default,
    D* is p / (p + q) and c' the code of samples.

    Mao et al. (2017), arXiv:1611.04076, Eq. 2 and Section 3.2.
    """

    a: float = 0.0
    """The code of samples."""
    b: float = 1.0
    """The code of data."""
    c: float = 1.0
    """What the generator wants of its samples."""
    paired: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.a == self.b:
            raise UserError(f"the codes of samples, a, and of data, b, are both {self.a:g}; they must differ")

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """E_p (D - b)^2 and E_q (D - a)^2."""
        return {"real": squared_to(widened(real), self.b), "fake": squared_to(widened(fake), self.a)}

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """E_q (D - c)^2."""
        return {"least squares": squared_to(widened(fake), self.c)}

    def mirror(self, real: Logits) -> Terms:
        """E_p (D - c')^2."""
        return {"mirror": squared_to(widened(real), self.a + self.b - self.c)}


@dataclass(frozen=True)
class Hinge:
    """Logits of data above 1 and of samples below -1 are enough.

        discriminator   E_p max(0, 1 - D) + E_q max(0, 1 + D),    at best 2 - 2 TV(p, q), with D* = sign(p - q)
        generator       -E_q D                                    its gradient at D* is that of 2 TV(p, q)
        mirror          E_p D

    Lim and Ye (2017), arXiv:1705.02894; Miyato et al. (2018), arXiv:1802.05957, Eqs. 16 and 17.
    """

    paired: ClassVar[bool] = False

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """E_p max(0, 1 - D) and E_q max(0, 1 + D)."""
        return {"real": hinge_real(widened(real)), "fake": hinge_fake(widened(fake))}

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """-E_q D."""
        return {"hinge": -widened(fake).mean()}

    def mirror(self, real: Logits) -> Terms:
        """E_p D."""
        return {"mirror": widened(real).mean()}


@dataclass(frozen=True)
class Wasserstein:
    """Scores, whose difference of means a critic of bounded slope makes large.

        discriminator   E_q f - E_p f,    at best -K W_1(p, q) over critics of slope K or less
        generator       -E_q f            its gradient at f* is that of K W_1(p, q)
        mirror          E_p f

    Nothing here bounds the slope: clip weights, or penalise.

    Arjovsky et al. (2017), arXiv:1701.07875, Eq. 2 and Theorem 3.
    """

    paired: ClassVar[bool] = False

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """E_q f - E_p f: minus the estimate of the distance."""
        return {"wasserstein": widened(fake).mean() - widened(real).mean()}

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """-E_q f."""
        return {"wasserstein": -widened(fake).mean()}

    def mirror(self, real: Logits) -> Terms:
        """E_p f."""
        return {"mirror": widened(real).mean()}


@dataclass(frozen=True)
class Relativistic:
    """Data and samples in pairs: which of the two is real?

        discriminator   -E_{p, q} log sigmoid(D(x) - D(y)),    D* = log(p / q), and any constant
        generator       -E_{p, q} log sigmoid(D(y) - D(x))

    At best the discriminator has log 2 - JSD between the laws of (x, y) and (y, x), x ~ p, y ~ q. The generator's side
    depends on both logits and is the whole of the swapped game, so that there is nothing to mirror: in a joint game the
    gradients of encoder and decoder both come from it.

    Jolicoeur-Martineau (2019), arXiv:1807.00734 (the paired form, RSGAN); Huang et al. (2025), arXiv:2501.05441.
    """

    paired: ClassVar[bool] = True

    def discriminator(self, real: Logits, fake: Logits) -> Terms:
        """-E log sigmoid(D(x) - D(y))."""
        return {"relativistic": is_real(_difference(real, fake))}

    def generator(self, fake: Logits, real: Logits | None = None) -> Terms:
        """-E log sigmoid(D(y) - D(x)).

        Raises:
            UserError: without `real`, or where it isn't as long as `fake`.
        """
        if real is None:
            raise UserError(
                "the relativistic loss compares samples with data; give the generator the data's logits too"
            )
        return {"relativistic": is_fake(_difference(real, fake))}

    def mirror(self, real: Logits) -> Terms:
        """None: the generator's side has it."""
        return {}


def _difference(real: Tensor, fake: Tensor) -> Tensor:
    if real.shape != fake.shape:
        raise UserError(
            f"the relativistic loss pairs logits of shapes {tuple(real.shape)} and {tuple(fake.shape)}; "
            "give as many samples as data"
        )
    return widened(real) - widened(fake)


LOSSES: dict[str, Callable[[], Loss]] = {
    "non-saturating": NonSaturating,
    "minimax": Minimax,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
}
"""The losses by their names on the command line, with their usual settings."""
