"""CycleGAN: two translators between unpaired domains, each the other's inverse, against a critic in each domain.

    G : X -> Y,  F : Y -> X,  critics D_Y, D_X, least squares in place of log-likelihood (Section 4)
    translators   min  E (D_Y(G(x)) - 1)^2 + E (D_X(F(y)) - 1)^2
                       + lambda (E |F(G(x)) - x|_1 + E |G(F(y)) - y|_1) + identity (E |G(y) - y|_1 + E |F(x) - x|_1)
    critic_y      min  E (D_Y(y) - 1)^2 + E D_Y(pool of G(x))^2
    critic_x      min  E (D_X(x) - 1)^2 + E D_X(pool of F(y))^2                                   Eq. 1 to 3, 7

The domains are two classes of the data. Critics see a pool of the last 50 translations.
"""

from dataclasses import replace

import torch
from pydantic.dataclasses import dataclass

from adversaria.data import Batch, Dataset, DataSpec
from adversaria.errors import UserError
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms, Weight
from adversaria.nn.translate import PatchCritic, Pool, Translator
from adversaria.objectives.adversarial import squared_to

REFERENCE = Reference(
    title="Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
    authors="Zhu, Park, Isola, Efros",
    year=2017,
    arxiv="1703.10593",
    venue="ICCV",
)
PRESETS = {
    "smoke": {"width": 4, "critic_width": 4, "blocks": 1, "batch": 4, "pool": 8, "rounds": 3},
    "small": {"width": 16, "critic_width": 16, "blocks": 2, "rounds": 600},
}
DEPARTURES = (
    "16 channels and 3 residual blocks, for small images; the paper has 64 and 6 to 9.",
    "Batches of 16; the paper's have one image.",
)
CLAIMS = ("F(G(x)) returns to x, and G(x) looks like the other domain (Section 5.1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class CycleGAN(Recipe):
    """Unpaired translation between two classes of images."""

    KINDS = ("image",)

    domain_x: int = 0
    """The class that is domain X."""
    domain_y: int = 1
    """The class that is domain Y."""
    cycle: Weight = 10.0
    """lambda (Section 4)."""
    identity: Weight = 0.0
    """Weight of the identity terms (Section 5.2: half of lambda, for photographs of paintings)."""
    width: Count = 16
    """Channels of the translators' first layer (Appendix 7.2: 64)."""
    critic_width: Count = 32
    """Channels of the critics' first layer (Appendix 7.2: 64)."""
    blocks: Count = 3
    """Residual blocks (Appendix 7.2: 6 or 9)."""
    pool: Count = 50
    """Translations kept for the critics (Section 4)."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999), schedule="linear", hold=0.5)
    """For everyone: constant for half of the rounds, then falling to 0 (Section 4)."""
    batch: Count = 16
    """Examples of each domain a move (Section 4: 1)."""
    rounds: Count = 1_000
    """Rounds of play."""

    def arrange(self, data: Dataset) -> Dataset:
        return data if data.spec.domains == 2 else data.domains_of(self.domain_x, self.domain_y)

    def spec_for(self, spec: DataSpec) -> DataSpec:
        return replace(spec, domains=2, classes=0, class_names=())

    def game(self, spec: DataSpec) -> Game:
        if spec.domains != 2:
            raise UserError("CycleGAN plays on two domains; pass data with labels through recipe.arrange(data)")
        G, F = (Translator(spec.shape, self.width, self.blocks) for _ in range(2))
        D_X, D_Y = (PatchCritic(spec.shape, self.critic_width) for _ in range(2))
        pool_x, pool_y = Pool(self.pool, spec.shape), Pool(self.pool, spec.shape)

        def translators(b: Batch) -> Terms:
            x, y = b.x, b.y
            y_, x_ = G(x), F(y)
            terms = {
                "adversarial_y": squared_to(D_Y(y_), 1),
                "adversarial_x": squared_to(D_X(x_), 1),
                "cycle_x": self.cycle * (F(y_) - x).abs().mean(),
                "cycle_y": self.cycle * (G(x_) - y).abs().mean(),
            }
            if self.identity:
                terms["identity"] = self.identity * ((G(y) - y).abs().mean() + (F(x) - x).abs().mean())
            return terms

        def critic_y(b: Batch) -> Terms:
            with torch.no_grad():
                fake = pool_y(G(b.x))
            return {"real": squared_to(D_Y(b.y), 1), "fake": squared_to(D_Y(fake), 0)}

        def critic_x(b: Batch) -> Terms:
            with torch.no_grad():
                fake = pool_x(F(b.y))
            return {"real": squared_to(D_X(b.x), 1), "fake": squared_to(D_X(fake), 0)}

        networks = {"G": G, "F": F, "critic_x": D_X, "critic_y": D_Y}
        return Game(
            Player("translators", (G, F), translators, self.adam),
            Player("critic_y", (D_Y,), critic_y, self.adam),
            Player("critic_x", (D_X,), critic_x, self.adam),
            networks={**networks, "pool_x": pool_x, "pool_y": pool_y},
            condition="image",
            sample=G,
            reconstruct=lambda x: F(G(x)),
        )
