"""Mode coverage as papers report it, for the table of modes; (value, error) where an error is given."""

from typing import NamedTuple

Number = float | tuple[float, float]


class Published(NamedTuple):
    """What a paper says of one system."""

    modes: Number
    quality: Number | None = None
    """Share of high quality, per cent."""
    kl: Number | None = None


PAPERS = {
    "VEEGAN": ("1705.07761", "Table 1 for points, Section 4.2 for stacks"),
    "PacGAN": ("1712.04086", "Table 1 for points, Tables 2 and 3 for stacks"),
    "Unrolled": ("1611.02163", "Section 3.3.1"),
}
"""arXiv ids, and where the numbers stand."""

PUBLISHED: dict[str, dict[str, dict[str, Published]]] = {
    "ring8": {
        "gan": {"VEEGAN": Published(1, 99.3), "PacGAN": Published((6.3, 0.5), 98.2, (0.45, 0.09))},
        "ali": {"VEEGAN": Published(2.8, 0.13), "PacGAN": Published(6.6, 97.6, 0.36)},
        "unrolled-gan": {"VEEGAN": Published(7.6, 35.6)},
        "VEEGAN": {"VEEGAN": Published(8, 52.9)},
        "gan, packed by 2": {"PacGAN": Published(7.9, 95.6, 0.07)},
        "gan, packed by 4": {"PacGAN": Published(7.8, 95.9, 0.07)},
    },
    "grid25": {
        "gan": {"VEEGAN": Published(3.3, 0.5), "PacGAN": Published((17.3, 0.8), 94.8, 0.70)},
        "ali": {"VEEGAN": Published(15.8, 1.6), "PacGAN": Published(24.1, 95.7, 0.14)},
        "unrolled-gan": {"VEEGAN": Published(23.6, 16)},
        "VEEGAN": {"VEEGAN": Published(24.6, 40)},
        "gan, packed by 2": {"PacGAN": Published(23.8, 91.3, 0.13)},
        "gan, packed by 4": {"PacGAN": Published(24.8, 93.6, 0.04)},
    },
    "stacks": {
        "dcgan": {
            "VEEGAN": Published(99, None, 3.40), "PacGAN": Published((78.9, 6.46), None, (4.50, 0.127)),
            "Unrolled": Published((30.6, 20.73), None, (5.99, 0.42)),
        },
        "dcgan, packed by 2": {"PacGAN": Published((1000, 0), None, (0.06, 0.003))},
        "dcgan, packed by 3": {"PacGAN": Published(1000, None, 0.06)},
        "dcgan, packed by 4": {"PacGAN": Published(1000, None, (0.07, 0.005))},
        "ali": {"VEEGAN": Published(16, None, 5.40)},
        "unrolled-gan": {"VEEGAN": Published(48.7, None, 4.32), "Unrolled": Published(236.4, None, 4.67)},
        "VEEGAN": {"VEEGAN": Published(150, None, 2.95)},
    },
}  # fmt: skip

DIFFERENCES = {
    "ring8": (
        "the ring here has radius 2 and sd 0.02, as WGAN-GP's toys before scaling; PacGAN's has radius 1 and sd 0.01, "
        "the same shape at half the size",
        "10,000 samples here, 2,500 in PacGAN; a mode counts with one sample of high quality in all of them, and "
        "'in force' is ours",
        "networks are those of each recipe here, with an averaged generator; each paper has its own, and trains longer",
    ),
    "grid25": (
        "the same grid {-4, -2, 0, 2, 4} squared with sd 0.05 as PacGAN's",
        "10,000 samples here, 2,500 in PacGAN; 'in force' is ours",
        "networks are those of each recipe here, with an averaged generator; each paper has its own, and trains longer",
    ),
    "stacks": (
        "stacks of 8 x 8 digits where the name is stacked-digits, of 28 x 28 MNIST in the papers: a smaller task, the "
        "numbers of which can't be set beside theirs one to one",
        "128,000 training stacks and 26,000 samples, as in PacGAN; minutes of training here, 50 epochs there",
        "the column 'Unrolled' has a discriminator a quarter of the generator's size; its row unrolled-gan is with 5 "
        "steps. PacGAN's column has VEEGAN's networks",
    ),
}  # fmt: skip
"""In what the papers' protocols differ from ours."""
