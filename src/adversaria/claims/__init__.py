"""How each claim of a recipe is measured, one file a recipe; `adversaria zoo verify` runs them.

A file is named as its recipe's and holds CHECKS, a tuple of `claims.check.Check`.
"""
