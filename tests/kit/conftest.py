"""Puts this folder on the path, for the inner pytest run too."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def outcomes():
    """What came out of all standard tests for all right and wrong components, by the name of their test class."""
    from nfcore.testing.running import run_file

    collector = run_file(Path(__file__).with_name("collected.py"))
    assert not collector.errors, collector.errors
    groups: dict[str, list] = {}
    for outcome in collector.outcomes:
        groups.setdefault(outcome.group, []).append(outcome)
    return groups
