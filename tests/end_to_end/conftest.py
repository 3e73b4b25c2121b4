"""Fixtures of the end-to-end tests."""

from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for journal, registries and snapshots."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
