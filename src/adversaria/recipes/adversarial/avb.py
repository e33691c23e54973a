"""AVB: a VAE whose posterior is any sampler; an adversary estimates the density ratio that the bound needs.

    z = z_phi(x, eps),   eps ~ N(0, I): q(z | x) can be drawn from, not scored
    adversary    max_T          E_q log s(T(x, z)) + E_p log(1 - s(T(x, z))),   z ~ p(z), s the sigmoid        Eq. 3.3
                 at its optimum T*(x, z) = log q(z | x) - log p(z)                                             Prop. 1
    model        max_{theta,phi}  E_q [log p(x | z) - T*(x, z)], with no gradient through how T* depends on q  Prop. 2

With an adaptive contrast (Section 4) T compares q not with p(z) but with r(z | x), the normal of q's own mean and sd,
in the coordinates z' = (z - mean(x)) / sd(x), where r is standard normal; what is left of the bound is known:

    model        max_{theta,phi}  E_q [log p(x | z) + log p(z) - log r(z | x) - T*(x, z')]

T only estimates the ratio, so that none of this is a bound one may report, and none is offered; the likelihood is
there to be measured by annealing.
"""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.duel import Duel, Pair, Parts
from adversaria.game import CHECKED, Adam, Count, Game, Recipe, Reference, Terms
from adversaria.nn.backbones import encoder, units
from adversaria.nn.implicit import ImplicitPosterior, NoiseBasis
from adversaria.nn.joint import JointDiscriminator
from adversaria.nn.noise import normal
from adversaria.nn.observation import Observation
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Adversarial Variational Bayes: Unifying Variational Autoencoders and Generative Adversarial Networks",
    authors="Mescheder, Nowozin, Geiger",
    year=2017,
    arxiv="1701.04722",
    venue="ICML",
)
PRESETS = {
    "smoke": {"latent": 4, "vectors": 4, "width": 4, "hidden": 16, "depth": 1, "moments": 32, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
    "four-points": {"latent": 2, "vectors": 8, "hidden": 128, "batch": 200, "adversary": {"lr": 1e-3},
                    "model": {"lr": 1e-3, "schedule": "linear", "hold": 0.5}},
}  # fmt: skip
DEPARTURES = (
    "Every posterior is the mixed noise basis of Section 6.2, to which an offset b(x) is added; on toys the paper "
    "gives x and eps to one network.",
    "Mean and sd of the contrast come from draws of the basis other than those in z.",
    "Images have a discretised logistic likelihood, so that it is of 8-bit pixels; the paper's are Bernoulli.",
    "encode() is one draw from q(z | x), whose mean may lie where q has no mass.",
)
CLAIMS = (
    "On four points the posteriors tile the prior, without the overlaps and gaps of a factorised one (Section 6.1).",
    "At an equal decoder, likelihood and bound are above the factorised VAE's (Section 6.1, Table 1).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class AVB(Recipe):
    """Adversarial variational Bayes."""

    latent: Count = 16
    """Dimension of z."""
    contrast: Literal["adaptive", "prior"] = "adaptive"
    """What T compares q with: the normal of q's moments (Section 4), or the prior (Section 3)."""
    vectors: Count = 16
    """m, noise vectors that the posterior mixes (Section 6.2)."""
    noise: Count = 4
    """Length of the noise behind each vector."""
    moments: Annotated[int, Field(ge=2)] = 256
    """Draws that the contrast's mean and sd come from."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer (Section 6.1: 512)."""
    depth: Count = 2
    """Hidden layers, for data that aren't images (Section 6.1: 2)."""
    model: Adam = Adam(lr=2e-4, betas=(0.5, 0.999), clip=200.0)
    """For encoder, decoder and observation."""
    adversary: Adam = Adam(lr=5e-4, betas=(0.5, 0.999))
    """For T; it must keep up with the encoder."""
    adversary_steps: Count = 2
    """Moves of the adversary for one of the model."""
    parts: Parts = Parts()
    """Techniques that leave T's optimum what it is, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 100
    """Examples drawn for each move."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        parts = self.parts
        parts.without("loss", "smooth", "matching", "minibatch", "pack", "noise", "augment", "unroll",
                      why="T would no longer estimate log q(z | x) - log p(z)")  # fmt: skip
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        basis = NoiseBasis(self.vectors, self.latent, self.noise, 32)
        reader = encoder(
            spec.shape, (self.vectors + 1) * self.latent, norm="layer", activation=units(spec.kind), **size
        )
        E = ImplicitPosterior(reader, basis, self.latent)
        G = parts.decoder(self.latent, spec.shape, norm="layer", bounded=False, activation=units(spec.kind), **size)
        T = parts.equip(JointDiscriminator(parts.critic(spec.shape, self.hidden, norm="none", **size), self.hidden,
                                           self.latent, self.hidden))  # fmt: skip
        p = Observation(spec.kind, spec.shape, spec.levels)

        def infer(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """z, T's coordinates of it, and what of log q - log p(z) the contrast knows."""
            if self.contrast == "prior":
                z = E(x)
                return z, z, torch.zeros_like(z[:, 0])
            z, mean, log_sd = E.with_moments(x, self.moments)
            return z, (z - mean) * torch.exp(-log_sd), log_normal(z, mean, log_sd) - log_normal(z)

        def inferred(batch: Batch) -> Pair:
            return batch.x, infer(batch.x)[1]

        def drawn(batch: Batch) -> Pair:
            return batch.x, normal(len(batch), self.latent, like=G)

        def model(batch: Batch) -> Terms:
            z, place, known = infer(batch.x)
            return {
                "distortion": -p.log_prob(batch.x, G(z)).mean(),
                "contrast": known.mean(),
                "ratio": T(batch.x, place).mean(),
            }

        duel = Duel((E, G, p), T, loss=NonSaturating(), real=inferred, fake=drawn, parts=parts, batch=self.batch,
                    rounds=self.rounds, called=("adversary", "model"))  # fmt: skip
        objectives = (duel.discriminator, model)
        return Game(
            stages=[duel.stage(self.adversary, self.model, steps=self.adversary_steps, objectives=objectives)],
            networks={"encoder": E, "decoder": G, "observation": p, "adversary": T, **duel.networks},
            sample=lambda n: p.show(G(normal(n, self.latent, like=G))),
            latent=lambda n: normal(n, self.latent, like=G),
            decode=lambda z: p.mean(G(z)),
            encode=E,
            likelihood=lambda x, z: p.log_prob(x, G(z)),
            prior=log_normal,
        )
