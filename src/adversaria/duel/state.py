"""What parts remember between moves, as buffers: checkpoints keep it, devices move it."""

import torch
from torch import Tensor, nn

from adversaria.ops.augment import adaptive, differentiable


class Noise(nn.Module):
    """Normal noise on what the discriminator sees, whose standard deviation falls linearly to 0.

        x + sigma_t eps,   sigma_t = sigma max(0, 1 - t / T),   t the generator's moves

    Both sides get it, so that two laws on disjoint supports overlap. Sønderby et al. (2017), arXiv:1610.04490,
    Section 4; Arjovsky and Bottou (2017), arXiv:1701.04862, Section 3.
    """

    moves: Tensor

    def __init__(self, sd: float, until: int) -> None:
        super().__init__()
        self.sd, self.until = sd, until
        self.register_buffer("moves", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Noisy examples, in training; at rest they stay as they are."""
        if not self.training:
            return x
        return x + self.level().to(x.dtype) * torch.randn_like(x)

    def level(self) -> Tensor:
        """sigma_t."""
        return self.sd * (1 - self.moves / self.until).clamp_min(0)

    def update(self) -> None:
        """Counts a move of the generator, one a round."""
        self.moves += 1


class Augment(nn.Module):
    """Random distortions of all that the discriminator sees; "adaptive" ones with a chance p that follows overfitting.

        r_t = E sign D(x),   p <- p + sign(r_t - target) batch / ramp,   in [0, 1]

    The mean of the signs is taken over `every` moves. Karras et al. (2020), arXiv:2006.06676, Section 3.
    """

    p: Tensor
    signs: Tensor
    seen: Tensor

    def __init__(self, kind: str, target: float, ramp: int, every: int = 4) -> None:
        super().__init__()
        self.kind, self.target, self.ramp, self.every = kind, target, ramp, every
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.latest: Tensor | None = None
        """Logits of the data in the discriminator's last objective."""

    def forward(self, x: Tensor) -> Tensor:
        """Distorted images, in training; at rest they stay as they are."""
        if not self.training:
            return x
        return differentiable(x) if self.kind == "differentiable" else adaptive(x, self.p)

    def update(self) -> None:
        """Counts the signs of a move, and after `every` of them lets p follow."""
        if self.kind != "adaptive" or self.latest is None:
            return
        self.signs += self.latest.sign().sum()
        self.seen += len(self.latest)
        if int(self.seen) >= self.every * len(self.latest):
            step = (self.signs / self.seen - self.target).sign() * self.seen / self.ramp
            self.p.copy_((self.p + step).clamp(0, 1))
            self.signs.zero_()
            self.seen.zero_()


class History(nn.Module):
    """The running mean of a player's parameters, and the squared distance from it.

    || theta - 1/t sum_i theta_i ||^2        Salimans et al. (2016), arXiv:1606.03498, Section 3.3
    """

    moves: Tensor

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self._modules_of = [modules]  # in a list, so that they are not registered a second time
        self.register_buffer("moves", torch.zeros((), dtype=torch.long))
        for i, parameter in enumerate(self._live()):
            self.register_buffer(f"mean_{i}", parameter.detach().clone())

    def _live(self) -> list[nn.Parameter]:
        return [p for module in self._modules_of[0] for p in module.parameters() if p.requires_grad]

    def _means(self) -> list[Tensor]:
        return [self.get_buffer(f"mean_{i}") for i in range(len(self._live()))]

    def forward(self) -> Tensor:
        """The squared distance."""
        pairs = zip(self._live(), self._means(), strict=True)
        return torch.stack([(live - mean).square().sum() for live, mean in pairs]).sum()

    def update(self) -> None:
        """Takes the parameters of a move into the mean; the first set is the mean at the start."""
        self.moves += 1
        weight = 1 / (int(self.moves) + 1)
        torch._foreach_lerp_(self._means(), [p.detach() for p in self._live()], weight)
