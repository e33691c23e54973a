"""SeqGAN: a generator of token sequences is a policy, rewarded by how real its sequences look once completed.

    pretrain generator       min  -E sum_t log G(y_t | y_<t),   y from data
    pretrain discriminator   max_D  E log D(y) + E log(1 - D(G))
    policy    Q(y_<t, y_t) = mean over N rollouts of D(y_<=t completed by G_beta), for t = T: D(y)          Eq. 4
              grad J = E sum_t grad log G(y_t | y_<t) Q(y_<t, y_t)                                         Eq. 7
    rollouts  G_beta <- u G_beta + (1 - u) G after each generator move                               Algorithm 1

The surrogate -sum_t log G(y_t | y_<t) (Q - b_t), with b_t the mean of Q over a batch of n, has minus that gradient
times (n - 1) / n in expectation; the baseline lowers its variance.
"""

from copy import deepcopy

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Player, Recipe, Reference, Stage, Terms, Weight
from adversaria.nn.tokens import TokenCritic, TokenLSTM
from adversaria.objectives.adversarial import is_fake, is_real
from adversaria.objectives.policy import reinforce

REFERENCE = Reference(
    title="SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient",
    authors="Yu, Zhang, Wang, Yu",
    year=2017,
    arxiv="1609.05473",
    venue="AAAI",
)
PRESETS = {
    "smoke": {"embedding": 8, "hidden": 8, "filters": 4, "rollouts": 2, "batch": 8, "rounds": 6},
    "small": {"rounds": 1_500},
}
DEPARTURES = (
    "A baseline, the mean value over the batch at each step; the paper's released code has none.",
    "The discriminator's dropout stays on while it rewards.",
    "Filters of widths 1 to 5; the paper has up to 20 widths for sequences of 20 tokens.",
)
CLAIMS = ("The oracle's negative log-likelihood of samples is lower than after maximum likelihood (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class SeqGAN(Recipe):
    """Sequence GAN by policy gradient."""

    KINDS = ("sequence",)

    embedding: Count = 32
    """Length of a token's vector (Section 5.1: 32)."""
    hidden: Count = 32
    """Units of the generator (Section 5.1: 32)."""
    filters: Count = 64
    """Filters of each width in the discriminator."""
    rollouts: Count = 4
    """N (Eq. 4; Section 5.1: 16)."""
    critic_steps: Count = 3
    """Discriminator moves for each of the generator's (Algorithm 1)."""
    follow: Weight = 0.8
    """u, how slowly the rollout policy follows the generator (Algorithm 1)."""
    dropout: Fraction = 0.25
    """Dropout in the discriminator."""
    pretrain: Adam = Adam(lr=5e-3, clip=5.0)
    """For maximum likelihood."""
    policy: Adam = Adam(lr=1e-3, clip=5.0)
    """For the generator's policy gradient."""
    discriminator: Adam = Adam(lr=1e-3)
    """For the discriminator."""
    batch: Count = 64
    """Sequences a move (Section 5.1: 64)."""
    rounds: Count = 2_500
    """Rounds of the three stages: 60% likelihood, 10% discriminator, 30% adversarial."""

    def game(self, spec: DataSpec) -> Game:
        (length,) = spec.shape
        G = TokenLSTM(spec.categories, self.embedding, self.hidden)
        G_beta = deepcopy(G).requires_grad_(False)
        widths = tuple(k for k in range(1, 6) if k <= length)
        D = TokenCritic(spec.categories, self.embedding, self.filters, widths, self.dropout)

        def likelihood(batch: Batch) -> Terms:
            return {"nll": -G.log_prob(batch.x).sum(1).mean()}

        def discriminator(batch: Batch) -> Terms:
            return {"real": is_real(D(batch.x)), "fake": is_fake(D(G.sample(len(batch), length)))}

        @torch.no_grad()
        def value(y: Tensor) -> Tensor:
            q = torch.zeros(y.shape, device=y.device)
            for t in range(1, length):
                prefixes = y[:, :t].repeat(self.rollouts, 1)
                reward = torch.sigmoid(D(G_beta.complete(prefixes, length)))
                q[:, t - 1] = reward.view(self.rollouts, -1).mean(0)
            q[:, -1] = torch.sigmoid(D(y))
            return q

        def policy(batch: Batch) -> Terms:
            y = G.sample(len(batch), length)
            q = value(y)
            return {"reinforce": reinforce(G.log_prob(y), q - q.mean(0))}

        def follow() -> None:
            for slow, fast in zip(G_beta.parameters(), G.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.follow)

        critic = Player("discriminator", (D,), discriminator, self.discriminator, moves=self.critic_steps)
        return Game(
            stages=[
                Stage(
                    (Player("generator", (G,), likelihood, self.pretrain, after=follow),),
                    "pretrain-generator",
                    0.6,
                ),
                Stage((critic,), "pretrain-discriminator", 0.1),
                Stage((Player("generator", (G,), policy, self.policy, after=follow), critic), "adversarial", 0.3),
            ],
            networks={"generator": G, "rollout": G_beta, "discriminator": D},
            sample=lambda n: G.sample(n, length),
            log_prob=lambda y: G.log_prob(y).sum(1),
            score=D,
        )
