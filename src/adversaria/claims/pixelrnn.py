"""PixelRNN: what recurrence gains over convolutions, and diagonals over rows.

Test images of digits, black and white and drawn anew in training, in nats, under the diagonal BiLSTM less under
pixelcnn, and less under the row LSTM (Tables 4 and 5: 79.20 nats against 81.30 on MNIST; 3.00 and 3.07 bits/dim on
CIFAR-10); all at their presets `small`, from the same seed, for the same rounds, each where the validation split was
likeliest. Threshold 0 for both.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained

CLAIM = "Held-out images take fewer bits than under a PixelCNN, and fewer with diagonals than with rows (Table 4, 5)."
CNN, ROWS = "nats of test images, less pixelcnn's", "nats of test images with diagonals, less with rows"


def measure(trial: Trial) -> dict[str, Measured]:
    """Three trainings."""
    rounds = 300 if trial.quick else 1_200
    recipes = (make("pixelrnn", "small", rounds=rounds), make("pixelcnn", "small", rounds=rounds),
               make("pixelrnn", "small", variant="row", rounds=rounds))  # fmt: skip
    diagonal, cnn, rows = (cost(trained(trial, recipe)[0], trial.data).value for recipe in recipes)
    return {CNN: Measured(diagonal, cnn), ROWS: Measured(diagonal, rows)}


CHECKS = tuple(
    Check(claim=CLAIM, quantity=quantity, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",))
    for quantity in (CNN, ROWS)
)
