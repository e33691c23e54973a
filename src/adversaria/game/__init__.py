"""Games: players, stages, and the referee that owns optimisation."""

from adversaria.game.averages import Average
from adversaria.game.breakdown import NonFiniteError
from adversaria.game.game import Game, seeded
from adversaria.game.optimizers import SGD, Adam, AdamW, Fraction, OptimizerSpec, RMSProp
from adversaria.game.player import Objective, Player, Terms
from adversaria.game.recipe import CHECKED, Count, Recipe, Reference, Weight
from adversaria.game.referee import Referee, play
from adversaria.game.rounds import Round
from adversaria.game.rules import alternating, extragradient, optimistic, simultaneous
from adversaria.game.stage import Stage, plan

__all__ = [
    "CHECKED", "SGD", "Adam", "AdamW", "Average", "Count", "Fraction", "Game", "NonFiniteError", "Objective",
    "OptimizerSpec", "Player", "RMSProp", "Recipe", "Referee", "Reference", "Round", "Stage", "Terms", "Weight",
    "alternating", "extragradient", "optimistic", "plan", "play", "seeded", "simultaneous",
]  # fmt: skip
