"""What stands in the table of modes, and how long each row trains: about 20 s a cell on points, 90 s on stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from adversaria import catalogue

if TYPE_CHECKING:
    from adversaria.data import DataSpec

Kind = Literal["points", "stacks"]


@dataclass(frozen=True)
class Row:
    """A system of the table: a recipe, or a variant of one."""

    label: str
    recipe: str
    points: Mapping[str, Any] | None
    """Hyperparameters on points, in place of the recipe's; None where it isn't played on them."""
    stacks: Mapping[str, Any] | None
    """And on stacks of images."""
    preset: str | None = None

    def changed(self, kind: Kind) -> Mapping[str, Any] | None:
        """Hyperparameters for this kind of data."""
        return self.points if kind == "points" else self.stacks


PACKED = {"parts": {"pack": 2}}
ROWS = (
    #   label                    recipe            on points           on stacks
    Row("gan",                  "gan",            {"rounds": 3_000},  {"rounds": 6_000, "batch": 128}),
    Row("gan, packed by 2",     "gan",            {"rounds": 3_000, **PACKED},
                                                  {"rounds": 6_000, "batch": 128, **PACKED}),
    Row("dcgan",                "dcgan",          None,               {"rounds": 6_000, "width": 32}),
    Row("dcgan, packed by 2",   "dcgan",          None,               {"rounds": 6_000, "width": 32, **PACKED}),
    Row("unrolled-gan",         "unrolled-gan",   {"rounds": 1_500, "batch": 128}, {"rounds": 2_000, "batch": 128}),
    Row("unrolled-gan, k = 0",  "unrolled-gan",   {"rounds": 1_500, "batch": 128, "unroll": 0},
                                                  {"rounds": 2_000, "batch": 128, "unroll": 0}),
    Row("ali",                  "ali",            {"rounds": 2_000},  {"rounds": 5_000, "width": 16}),
    Row("bigan",                "bigan",          {"rounds": 1_800},  {"rounds": 5_000, "width": 16}),
    Row("avb",                  "avb",            {"rounds": 800},    {"rounds": 2_000, "width": 16}),
    Row("f-gan",                "f-gan",          {"rounds": 3_500},  {"rounds": 5_000}),
    Row("improved-gan",         "improved-gan",   {"rounds": 400},    {"rounds": 1_000}),
    Row("instance-noise",       "instance-noise", {"rounds": 3_500},  {"rounds": 5_000}),
    Row("lsgan",                "lsgan",          {"rounds": 3_500},  {"rounds": 7_000, "width": 32}),
    Row("progressive-gan",      "progressive-gan", None,              {"rounds": 3_500}),
    Row("r3gan",                "r3gan",          {"rounds": 2_000},  {"rounds": 700}),
    Row("sn-gan",               "sn-gan",         {"rounds": 3_500},  {"rounds": 7_000, "width": 32}),
    Row("wgan",                 "wgan",           {"rounds": 1_000},  {"rounds": 3_000, "width": 32}),
    Row("wgan-gp",              "wgan-gp",        {"rounds": 800},    {"rounds": 2_000, "width": 32}),
)  # fmt: skip
"""Those with a budget of their own; every other adversarial recipe plays with its preset `small`."""


def rows(wanted: tuple[str, ...] = ()) -> list[Row]:
    """The table's rows, or those of the recipes or labels wanted."""
    known = {row.recipe for row in ROWS}
    others = [
        Row(name, name, {}, {}, "small")
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
