"""The real scenes of the benchmarks, in ``../shared/data`` or the folder named by ``NFCORE_DATA``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DATA = Path(os.environ.get("NFCORE_DATA") or Path(__file__).resolve().parents[1].parent / "shared" / "data")
LEGO = "nerf_synthetic/lego"


def scene(path: str = LEGO) -> Path:
    """Return the folder of a scene, or exit: these benchmarks need real data."""
    folder = DATA / path
    if not folder.is_dir():
        sys.exit(f"this benchmark needs real data: there is no {folder}")
    return folder
