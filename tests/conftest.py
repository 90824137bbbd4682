"""Settings shared by all tests: no display, and the same random examples on every run."""

import os
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

hypothesis.settings.register_profile("hypo", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("hypo")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout, for tests on the data sets and benchmark tables kept beside the package."""
    return Path(__file__).resolve().parent.parent
