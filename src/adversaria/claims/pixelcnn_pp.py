"""PixelCNN++: what a mixture of logistics gains over a softmax of 256 levels, in equal time.

Test images of digits, 17 grey levels that are stored as 8 bits, in bits per dimension, less their cost under a gated
PixelCNN with a softmax; both at their presets `small`, from the same seed, each where the validation split was
likeliest. Each plays as many rounds as fit into the same seconds of one core, 20 in a quick check and else 120, by a
measurement before. Threshold 0.

Digits have gaps between their levels, which a softmax can learn and a smooth law can't: the data are hard on the claim.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import compared, rounds_within

CLAIM = (
    "A softmax over levels has to be learned level by level; the mixture takes fewer bits in equal time (Section 3.3)."
)


def measure(trial: Trial) -> Measured:
    """Cost under pixelcnn-pp, and under gated-pixelcnn."""
    seconds = 20.0 if trial.quick else 120.0
    names = ("pixelcnn-pp", "gated-pixelcnn")
    rounds = {name: rounds_within(make(name, "small"), trial.data, seconds) for name in names}
    ours, other = (make(name, "small", rounds=rounds[name]) for name in names)
    return compared(trial, ours, other)


CHECKS = (
    Check(claim=CLAIM, quantity="bits per dimension of test images, less those of a softmax in equal time",
          measure=measure, threshold=0.0, holds="below", own="images"),
)  # fmt: skip
