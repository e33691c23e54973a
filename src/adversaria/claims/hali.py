"""HALI: what a reconstruction keeps from both levels of codes, and what from the upper level alone.

x -> z1 -> x' is a reconstruction from the lower level (z2 follows from z1 and adds nothing), x -> z1 -> z2 -> z1' -> x''
one from the upper level. Pixels (Section 4): squared error of both, over the data's variance, so that 1 is what the
mean image gets; the upper level's must be larger. Gist: the share of either that a classifier trained on the data tells
as the class in the label; a tenth by chance for ten classes.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import told

CLOSE = "A reconstruction from z1 is close to x; one from z2 alone keeps the gist only (Section 4)."
CLASS = "Both keep the class of x more often than not (Section 4)."
