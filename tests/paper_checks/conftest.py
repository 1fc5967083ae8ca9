"""Lets the tests of this folder import what they share, `made_records`, and gives them a folder without records."""

import sys
from pathlib import Path

import pytest

from paper_checks import image_records

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which records are looked for; nothing is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image_records.recorded, "__file__", str(tmp_path / "elsewhere" / "recorded.py"))
    yield tmp_path
