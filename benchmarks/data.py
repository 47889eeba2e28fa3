"""The real scenes that benchmarks measure on: in ``../shared/data``, or where ``NFCORE_DATA`` says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DATA = Path(os.environ.get("NFCORE_DATA") or Path(__file__).resolve().parents[1].parent / "shared" / "data")
LEGO = "nerf_synthetic/lego"


def scene(path: str = LEGO) -> Path:
    """Return the folder of a scene, or end the benchmark: it measures nothing on made-up data."""
    folder = DATA / path
    if not folder.is_dir():
        sys.exit(f"this benchmark needs real data: there is no {folder}")
    return folder
