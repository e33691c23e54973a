"""What a recipe file holds: one named system, its hyperparameters, its game, and where it comes from."""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from adversaria.data.dataset import Dataset
from adversaria.data.spec import DataSpec, Kind
from adversaria.errors import UserError
from adversaria.game.game import Game

Count = Annotated[int, Field(ge=1)]
"""A whole number, 1 or more."""
Weight = Annotated[float, Field(ge=0)]
"""A weight of a term, 0 or more."""
CHECKED = ConfigDict(extra="forbid")
"""How a recipe's dataclass is configured: unknown names are errors."""


@plain_dataclass(frozen=True)
class Reference:
    """Where a system was published."""

    title: str
    authors: str
    year: int
    arxiv: str = ""
    """arXiv id, such as 1704.00028."""
    venue: str = ""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Recipe:
    """One named system: a frozen set of hyperparameters that builds its game.

    A recipe file has a docstring with the objectives as equations, one subclass of this, and the module constants
    REFERENCE, PRESETS (at least "smoke" and "small": overrides of fields), DEPARTURES and CLAIMS.
    """

    KINDS: ClassVar[tuple[Kind, ...]] = ("image", "points", "binary")
    """The kinds of data the system plays on."""

    batch: Count = 64
    """Examples drawn for each move."""
    rounds: Count = 2000
    """Rounds of play, over all stages."""

    def game(self, spec: DataSpec) -> Game:
        """Networks and players for data of this spec; `build` is what callers use."""
        raise TypeError(f"{type(self).__name__} does not say how to build its game")

    def build(self, spec: DataSpec) -> Game:
        """The game, after a check that the system plays on such data.

        Raises:
            UserError: where it doesn't.
        """
        if spec.kind not in self.KINDS:
            raise UserError(
                f"{type(self).__name__} plays on {' or '.join(self.KINDS)} data; these are {spec.kind} of shape "
                f"{spec.shape}; see 'adversaria list' for recipes that take them"
            )
        return self.game(spec)

    def labels_of(self, spec: DataSpec) -> int:
        """The number of classes, for a system that is given labels.

        Raises:
            UserError: where the data have none.
        """
        if not spec.classes:
            raise UserError(
                f"{type(self).__name__} is given labels and these data have none; take data with labels "
                "(a folder for each class, a 'labels' array, a 'label' column) or an unconditional recipe"
            )
        return spec.classes

    def arrange(self, data: Dataset) -> Dataset:
        """What the system plays on, made from the user's data: the data themselves, unless a recipe says otherwise."""
        return data

    def spec_for(self, spec: DataSpec) -> DataSpec:
        """The spec of what `arrange` makes of data of this spec."""
        return spec

    def fields(self) -> dict[str, Any]:
        """Its hyperparameters as JSON-ready values; `catalogue.rebuild` reads them back."""
        from pydantic import TypeAdapter

        values: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json")
        return values
