"""Earlier results, for benchmarks that are measured in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def earlier(benchmark: str, key: str) -> dict[str, dict[str, Any]]:
    """Return the rows of the benchmark's last results, by their values of ``key``."""
    path = RESULTS / f"{benchmark}.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {row[key]: row for row in rows if key in row}
