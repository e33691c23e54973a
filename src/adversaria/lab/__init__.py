"""The lab: claims of lectures on generative models, each an experiment of one file with a figure and a verdict.

`adversaria lab list`, `adversaria lab run parallel-lines --quick`, `adversaria lab report`.
"""
