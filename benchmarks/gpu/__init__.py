"""On a GPU of NVIDIA: what agrees with the CPU, what runs, how good it is after which time, and how fast.

Columns "GPU" and "CPU" have the same figure of both; the CPU's is of two cores of the same machine, by kernels
where there are some. ``gpu:speed`` runs one part. NFCORE_BENCH_RUNS names a folder where runs and rows are kept as
they come; NFCORE_BENCH_DEVICE=cpu and NFCORE_BENCH_SHARE=0.02 try it out without a GPU, with shorter budgets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.earlier import earlier
from benchmarks.gpu.part import DEVICE
from benchmarks.gpu.part import machine as machine

#: Parts that run side by side, then those that need the GPU alone; seconds that each may take.
STAGES: tuple[dict[str, int], ...] = (
    {"agreement": 150, "pipelines": 240},
    {"speed": 90},
    {"splats": 240},
    {"quality": 600},
)


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each figure; of the part ``only``, or of all, are measured again."""
    import torch

    if DEVICE == "cuda" and not torch.cuda.is_available():
        sys.exit("this benchmark needs a GPU of NVIDIA: torch finds none here")
    with tempfile.TemporaryDirectory() as temporary:
        kept = Path(os.environ.setdefault("NFCORE_BENCH_RUNS", temporary))
        kept.mkdir(parents=True, exist_ok=True)
        for stage in STAGES:
            _run({part: seconds for part, seconds in stage.items() if only in ("", part)}, kept)
        found = [json.loads(line) for path in sorted(kept.glob("*.jsonl")) for line in path.open()]
    rows = earlier("gpu", "what") | {row["what"]: row for row in found}
    return list(rows.values())


def _run(parts: dict[str, int], kept: Path) -> None:
    """Run the parts side by side, each in a process of its own, which appends its rows to ``PART.jsonl``."""
    running = {}
    for part in parts:
        with (kept / f"{part}.jsonl").open("w") as rows:
            running[part] = subprocess.Popen([sys.executable, "-m", f"benchmarks.gpu.{part}"], stdout=rows)
    for part, process in running.items():
        try:
            process.wait(parts[part])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"gpu:{part} ended after {parts[part]} s; the rows until then are kept", file=sys.stderr)
