"""What tests of tracking share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, as the first opening takes seconds; each has an experiment."""
    return f"sqlite:///{tmp_path_factory.mktemp('server')}/mlflow.db"
