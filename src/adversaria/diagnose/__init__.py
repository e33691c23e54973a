"""Verdicts in words, and the dynamics of a game."""

from adversaria.diagnose.critics import GradientProbe, HeldOutGap, gradient_probe, held_out_gap
from adversaria.diagnose.cycling import cycling, mode_cycling
from adversaria.diagnose.duality import DualityGap, duality_gap
from adversaria.diagnose.dynamics import Spectrum, jacobian_eigenvalues, rotation_index, vector_field
from adversaria.diagnose.path import PathAngle, path_angle
from adversaria.diagnose.verdict import Evidence, Verdict
from adversaria.diagnose.whole import verdicts

__all__ = [
    "DualityGap", "Evidence", "GradientProbe", "HeldOutGap", "PathAngle", "Spectrum", "Verdict", "cycling",
    "duality_gap", "gradient_probe", "held_out_gap", "jacobian_eigenvalues", "mode_cycling", "path_angle",
    "rotation_index", "vector_field", "verdicts",
]  # fmt: skip
