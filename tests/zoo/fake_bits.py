"""Checks of gan's claim on black and white digits, that take milliseconds."""

from fake_claims import check, number, on_data


def white(trial):
    """1 where all pixels are black or white."""
    return float(set(trial.data.examples(20, "test").x.unique().tolist()) == {-1.0, 1.0})


CHECKS = (
    check(white, data=("digits-dynamic",), threshold=0.5),
    check(on_data, data=("digits-static",)),
    check(number),
)
