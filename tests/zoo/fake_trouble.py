"""Seeds that fail, one way and another."""

from fake_claims import check, drawn, dying, failing, number

CHECKS = (
    check(number, "is low", threshold=3.0),
    check(number, "straddles", threshold=2.15),
    check(failing, threshold=0.0),
    check(dying, threshold=0.0),
    check(drawn, threshold=-1e9),
)
