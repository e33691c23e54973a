"""Every check is of a claim its recipe makes, and every committed result follows from its own seeds."""

import json

import pytest

from adversaria import catalogue
from adversaria.data import load, names
from adversaria.zoo import results
from adversaria.zoo.judge import interval, judge
from adversaria.zoo.verify import checkable, checks_in, module_of

APART = {"__init__", "bounds", "check", "held", "tools"}
TABLES = ("modes", "likelihoods", "small-binary", "mnist-hour", "lab")
COMMITTED = sorted(path for path in results.places()[0].glob("*/*.json") if path.parent.name not in TABLES)


def test_every_file_of_claims_is_that_of_a_recipe():
    stems = {path.stem for path in results.CLAIMS.glob("*.py")} - APART
    assert stems == {catalogue.find(name).path.stem for name in checkable()} and len(stems) >= 6


@pytest.mark.parametrize("name", checkable())
def test_every_check_is_of_one_of_the_recipe_s_claims_word_for_word(name):
    entry = catalogue.find(name)
    checks = checks_in(module_of(entry))
    assert checks and {check.claim for check in checks} <= set(entry.claims)
    assert len({(check.claim, check.quantity) for check in checks}) == len(checks)
    for check in checks:
        assert set(check.data) <= set(names()) and check.measure.__module__ == module_of(entry)
        assert check.seeds >= check.quick_seeds >= 2
        binary = check.threshold == 0.5 and check.seeds < 6 and "all" in check.quantity
        assert not binary, "fewer than six seeds that say True or False can't show more than half"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_committed_result_follows_from_its_seeds(path):
    told = json.loads(path.read_text())
    assert told["recipe"] == path.parent.name and told["data"] == path.stem
    for result in results._read(path):
        found = result.values if result.against is None else [
            a - b for a, b in zip(result.values, result.against, strict=True)
        ]  # fmt: skip
        again = interval(found)
        assert (result.mean, *result.interval) == pytest.approx((again.mean, again.low, again.high), nan_ok=True)
        assert result.verdict == judge(again, result.threshold, result.holds, len(result.failed))
        assert len(result.seeds) == len(result.values) == len(result.seconds)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_data_of_a_committed_result_are_as_they_were(path):
    """Data readers are no part of the hash: the fingerprint of what they read is."""
    prints = {result.fingerprint for result in results._read(path)} - {""}
    if prints and path.stem in names():
        assert prints == {load(path.stem).fingerprint}
