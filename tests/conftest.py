"""One thread, a fixed seed before each test, checked tensor shapes, and float64 for the tests that ask for it."""

import pytest
import torch
from jaxtyping import install_import_hook

# Before anything imports them: the annotations are checked in the suite only (compilation has no use for checks).
install_import_hook(["adversaria.ops", "adversaria.distributions", "adversaria.objectives"], "beartype.beartype")
torch.set_num_threads(1)


@pytest.fixture
def seed():
    return 0


@pytest.fixture(autouse=True)
def _seeded(seed):
    torch.manual_seed(seed)


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
