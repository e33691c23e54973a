"""What stands in the table of modes, and how long each row trains.

Meant is half a minute of one core a cell on points and one on stacks; the table has the seconds it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from adversaria import catalogue

if TYPE_CHECKING:
    from adversaria.data import DataSpec

Kind = Literal["points", "stacks"]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A system of the table: a recipe, or a variant of one."""

    label: str
    """The recipe's name; and, after a comma, the variant's."""
    points: Mapping[str, Any] | None
    """Hyperparameters on points, in place of the recipe's; None where it isn't played on them."""
    stacks: Mapping[str, Any] | None
    """And on stacks of images."""
    preset: str | None = None

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.label.partition(",")[0]

    def changed(self, kind: Kind) -> Mapping[str, Any] | None:
        """Hyperparameters for this kind of data."""
        return self.points if kind == "points" else self.stacks


SIZE: Fields = {"latent": 2, "hidden": 128, "depth": 3, "batch": 128}
"""On points, networks and batches are the same for all, but for those of gan and improved-gan."""
FALLING: Fields = {"lr": 1e-3, "schedule": "linear"}
SINGLE: Fields = SIZE | {"adam": FALLING, "rounds": 4_000}
DOUBLE: Fields = SIZE | {"discriminator": FALLING, "generators": FALLING, "rounds": 2_000}
BOTH: Fields = {"model": FALLING, "adversary": FALLING}
CLIPPED: Fields = {"rmsprop": FALLING, "clip": 0.1}
SLOW: Fields = SIZE | {"depth": 2, "discriminator": {"lr": 1e-4, "schedule": "linear", "hold": 0.5},
                                  "generator": {"lr": 1e-3, "schedule": "linear", "hold": 0.5}}  # fmt: skip
"""Rates of unrolled-gan's Appendix A; with three layers its game doesn't settle in as many rounds."""
PACKED: Fields = {"parts": {"pack": 2}}
R3: Fields = {"gamma": 0.05, "average": 0.99, "adam": {"lr": 2e-3, "schedule": "linear"}}
R3_STACKS: Fields = {"network": "resnet", "average": 0.99, "adam": FALLING}
ROWS = (
    #   label                  on points                                  on stacks
    Row("gan",                 {"rounds": 3_000},                         {"rounds": 4_000, "batch": 128}),
    Row("gan, packed by 2",    PACKED | {"rounds": 3_000},                PACKED | {"rounds": 4_000, "batch": 128}),
    Row("dcgan",               None,                                      {"rounds": 3_000, "width": 32}),
    Row("dcgan, packed by 2",  None,                                      PACKED | {"rounds": 3_000, "width": 32}),
    Row("unrolled-gan",        SLOW | {"rounds": 2_000},                  {"rounds": 600, "batch": 128, "step": 0.01}),
    Row("unrolled-gan, k = 0", SLOW | {"rounds": 2_000, "unroll": 0},     {"rounds": 600, "batch": 128, "unroll": 0}),
    Row("ali",                 DOUBLE,                                    {"rounds": 2_000, "width": 16}),
    Row("bigan",               DOUBLE | {"prior": "normal"},              {"rounds": 2_000, "width": 16}),
    Row("hali",                DOUBLE | {"middle": 2, "rounds": 1_500},   {"rounds": 1_000, "width": 16}),
    Row("avb",                 SIZE | BOTH | {"rounds": 1_000},           {"rounds": 900, "width": 16}),
    Row("f-gan",               SINGLE | {"generator_depth": 3},           {"rounds": 2_500}),
    Row("improved-gan",        {"rounds": 600},                           {"rounds": 600, "labels": 1_000}),
    Row("instance-noise",      SINGLE,                                    {"rounds": 3_000}),
    Row("lsgan",               SINGLE,                                    {"rounds": 3_000, "width": 32}),
    Row("progressive-gan",     None,                                      {"rounds": 2_000}),
    Row("r3gan",               SINGLE | R3 | {"rounds": 5_000},           R3_STACKS | {"rounds": 1_000}),
    Row("sn-gan",              SINGLE,                                    {"rounds": 3_000, "width": 32}),
    Row("wgan",                SIZE | CLIPPED | {"rounds": 1_000},        {"rounds": 1_200, "width": 32}),
    Row("wgan-gp",             SINGLE | {"penalty": 0.1, "rounds": 1_000}, {"rounds": 1_200, "width": 32}),
)  # fmt: skip
"""Those with a budget of their own; every other adversarial recipe plays with its preset `small`."""


def rows(wanted: tuple[str, ...] = ()) -> list[Row]:
    """The table's rows, or those of the recipes or labels wanted."""
    known = {row.recipe for row in ROWS}
    others = [
        Row(name, {}, {}, "small")
        for name, entry in catalogue.entries().items()
        if entry.family == "adversarial" and name not in known
    ]
    return [row for row in (*ROWS, *others) if not wanted or row.label in wanted or row.recipe in wanted]


def why_not(row: Row, spec: DataSpec) -> str:
    """Why the row isn't played on such data; empty where it is."""
    kind: Kind = "stacks" if spec.kind == "image" else "points"
    changed = row.changed(kind)
    if changed is None:
        return f"has no budget on {kind}"
    recipe = catalogue.make(row.recipe, row.preset, **changed)
    if spec.kind not in recipe.KINDS:
        return f"plays on {' or '.join(recipe.KINDS)} data"
    game = recipe.build(spec)
    return f"is given the {game.condition}, and so the mode" if game.condition else ""
