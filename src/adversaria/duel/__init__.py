"""Two sides of an adversarial game, and the parts that any such game can take."""

from adversaria.duel.duel import PENALTIES, Duel, Pair
from adversaria.duel.parts import LAYERS, Parts
from adversaria.duel.plain import contest

__all__ = ["LAYERS", "PENALTIES", "Duel", "Pair", "Parts", "contest"]
