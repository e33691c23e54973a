"""What lies between codes and examples: paths, sums, traversals, truncation, neighbours, and codes found for examples.

Functions on a `Game` that can `latent` and `decode`; they run it at rest and leave it as it was.
"""

from adversaria.latent.arithmetic import around, combination
from adversaria.latent.codes import decoded, decoder
from adversaria.latent.inversion import Inversion, invert
from adversaria.latent.neighbours import Neighbours, neighbours, training_rows
from adversaria.latent.paths import Way, interpolate, linear, spherical
from adversaria.latent.prior import Prior
from adversaria.latent.traversal import Effects, effects, traverse
from adversaria.latent.truncation import truncated

__all__ = [
    "Effects", "Inversion", "Neighbours", "Prior", "Way", "around", "combination", "decoded", "decoder", "effects",
    "interpolate", "invert", "linear", "neighbours", "spherical", "training_rows", "traverse", "truncated",
]  # fmt: skip
