"""One claim a file, named as the file. Its docstring is the question, the equations, and what is done; then come

SOURCES             the lectures that claim it, keys of `lab.shelf.LECTURES`
MORE                where to read more
SLIP                where a lecture's statement must be put right, if it must
run(bench)          what is measured, and between which limits it must lie: an `Outcome`
draw(figure, told)  the figure, from the outcome's series
"""
