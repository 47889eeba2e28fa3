"""What the tests share: a cache of their own, a posed room, and the folder of helpers on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for textured_room.py

import textured_room

from nfcore.ui import Console
from nfcore_pose import estimation
from nfcore_pose.estimation import PosedCapture, posed_capture
from nfcore_pose.options import PosingOptions

#: Photos are 240 pixels wide.
SMALL = PosingOptions(features_at=240)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """Captures that several tests use are posed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache, monkeypatch) -> Path:
    """No test writes into the user's cache."""
    monkeypatch.setattr(estimation, "cache_folder", lambda: shared_cache)
    return shared_cache


@pytest.fixture(scope="session")
def room(tmp_path_factory) -> Path:
    return textured_room.save_room(tmp_path_factory.mktemp("room"))


@pytest.fixture
def posed_room(room, cache) -> PosedCapture:
    with Console(quiet=True) as console:
        return posed_capture(room, SMALL, console)
