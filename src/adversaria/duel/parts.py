"""Techniques that any adversarial recipe takes by a field."""

from dataclasses import fields, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn

from adversaria.errors import UserError
from adversaria.game.recipe import CHECKED, Count, Weight
from adversaria.nn.backbones import Network, Norm, decoder, encoder
from adversaria.nn.minibatch import with_minibatch, with_spectral
from adversaria.nn.reader import Reader

R = TypeVar("R", bound=Reader)
Share = Annotated[float, Field(ge=0, lt=1)]
Whole = Annotated[int, Field(ge=0)]
LAYERS = ("network", "generator_network", "generator_norm", "critic_norm")
"""The fields that replace layers, which a recipe with its own has to refuse."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Parts:
    """What a player can be given beside its recipe; everything is off, or the recipe's own, until it is asked for."""

    loss: Literal["own", "non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic"] = "own"
    """Both players' objective."""
    smooth: Share = 0.0
    """One-sided label smoothing: the discriminator's target on data is 1 - smooth (1606.03498, Section 3.4)."""
    matching: bool = False
    """The generator matches the discriminator's mean features, in place of its loss (1606.03498, Section 3.1)."""
    gradient: Weight = 0.0
    """Weight of (slope - 1)^2 on segments between data and samples; WGAN-GP takes 10 (1704.00028, Eq. 3)."""
    one_sided: Weight = 0.0
    """The same where the slope is above 1 only (1704.00028, Section 4)."""
    zero_centred: Weight = 0.0
    """Weight of slope^2 on these segments (1902.03984)."""
    dragan: Weight = 0.0
    """Weight of (slope - 1)^2 around data (1705.07215)."""
    r1: Weight = 0.0
    """gamma; gamma / 2 times slope^2 on data (1801.04406, Eq. 9)."""
    r2: Weight = 0.0
    """gamma; gamma / 2 times slope^2 on samples (1801.04406, Eq. 10)."""
    every: Count = 1
    """Penalties in every k-th round only, k times as heavy (1912.04958, Section 3.1)."""
    clip: Weight = 0.0
    """The discriminator's weights are clipped to [-clip, clip] after each move (1701.07875, Algorithm 1); 0 for not."""
    spectral: bool = False
    """Spectral normalisation of the discriminator (1802.05957, Algorithm 1)."""
    minibatch: Literal["none", "deviation", "discrimination"] = "none"
    """Statistics of the batch beside the discriminator's features (1710.10196, Section 3; 1606.03498, Section 3.2)."""
    pack: Count = 1
    """Examples the discriminator sees at a time (1712.04086, Section 3)."""
    history: Weight = 0.0
    """Weight of historical averaging, for both players (1606.03498, Section 3.3)."""
    noise: Weight = 0.0
    """Standard deviation at the start of instance noise (1701.04862, Section 3)."""
    noise_until: Annotated[float, Field(gt=0)] = 0.5
    """Share of the rounds after which that noise has gone."""
    augment: Literal["none", "differentiable", "adaptive"] = "none"
    """Distortions of all the discriminator sees, images only (2006.10738; 2006.06676)."""
    augment_target: float = 0.6
    """E sign D(x) that adaptive augmentation holds (2006.06676, Section 3)."""
    augment_ramp: Count = 50_000
    """Examples in which its chance can go from 0 to 1 (2006.06676, Section 3: 500,000)."""
    unroll: Whole = 0
    """Discriminator steps the generator looks through (1611.02163, Eq. 8)."""
    unroll_step: Weight = 0.1
    """Their size."""
    rule: Literal["own", "alternating", "simultaneous", "extragradient", "optimistic"] = "own"
    """In which order players move; all but the alternating one move everyone once (1802.10551; 1711.00141)."""
    ratio: Annotated[float, Field(gt=0)] = 1.0
    """Times the recipe's rate for the discriminator: two time-scales (1706.08500)."""
    network: Literal["own"] | Network = "own"
    """Of both players, in place of the recipe's."""
    generator_network: Literal["own"] | Network = "own"
    """Of the generator alone."""
    generator_norm: Literal["own"] | Norm = "own"
    """Normalisation in the generator, in place of the recipe's."""
    critic_norm: Literal["own"] | Norm = "own"
    """Normalisation in the discriminator, in place of the recipe's."""

    def own(self, **values: Any) -> "Parts":
        """These parts with a recipe's own hyperparameters among them.

        Raises:
            UserError: where the user has set one of those as a part too.
        """
        for field in fields(self):
            if field.name in values and getattr(self, field.name) != field.default:
                raise UserError(
                    f"parts.{field.name} is {getattr(self, field.name)} and this recipe has a hyperparameter for it; "
                    "set that one, see 'adversaria show'"
                )
        return replace(self, **values)

    def without(self, *names: str, why: str) -> None:
        """Says why a recipe hasn't got some parts.

        Args:
            names: fields that must be as they are by default.
            why: ends the sentence "parts.pack is 2, but ...".

        Raises:
            UserError: where one of them isn't.
        """
        for field in fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise UserError(
                    f"parts.{field.name} is {getattr(self, field.name)}, but {why}; leave it at {field.default}"
                )

    def decoder(self, latent: int, shape: tuple[int, ...], *, network: Network = "dcgan", norm: Norm = "batch",
                **size: Any) -> nn.Module:  # fmt: skip
        """`nn.backbones.decoder`, with the network and normalisation asked for."""
        for asked in (self.network, self.generator_network):
            network = network if asked == "own" else asked
        norm = norm if self.generator_norm == "own" else self.generator_norm
        return decoder(latent, shape, network=network, norm=norm, **size)

    def critic(self, shape: tuple[int, ...], outputs: int = 1, *, network: Network = "dcgan", norm: Norm = "batch",
               **size: Any) -> Reader:  # fmt: skip
        """`nn.backbones.encoder` for packs of examples, equipped with what was asked for.

        Raises:
            UserError: where images are to be augmented and these are none.
        """
        if self.augment != "none" and len(shape) != 3:
            raise UserError(f"augmentation '{self.augment}' is for images, and these are vectors of {shape[0]}; none")
        network = network if self.network == "own" else self.network
        norm = norm if self.critic_norm == "own" else self.critic_norm
        reader = encoder((self.pack * shape[0], *shape[1:]), outputs, network=network, norm=norm, **size)
        return self.equip(reader)

    def equip(self, reader: R) -> R:
        """A discriminator with minibatch statistics and spectral normalisation where they were asked for."""
        if self.minibatch != "none":
            with_minibatch(reader, self.minibatch)
        if self.spectral:
            with_spectral(reader)
        return reader
