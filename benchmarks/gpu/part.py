"""What the parts share: the device, budgets, two cores, and a row for each figure."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Where a GPU's part runs, and the share of all budgets, to try a part out.
DEVICE = os.environ.get("NFCORE_BENCH_DEVICE", "cuda")
SHARE = float(os.environ.get("NFCORE_BENCH_SHARE", "1"))


def row(what: str, gpu: object, cpu: object = "", unit: str = "", note: str = "") -> None:
    """Print a figure, as JSON on one line."""
    print(json.dumps({"what": what, "GPU": gpu, "CPU": cpu, "unit": unit, "note": note}), flush=True)


def seconds(budget: float) -> float:
    """Return the budget's share that is asked for."""
    return max(1.0, budget * SHARE)


def kept() -> Path:
    """Return the folder that runs are kept in."""
    return Path(os.environ.get("NFCORE_BENCH_RUNS", "runs")).absolute()


def nfcore(*arguments: str) -> list[str]:
    """Return the command ``nfcore ...`` of this Python."""
    return [sys.executable, "-m", "nfcore", *arguments]


def machine() -> dict[str, Any]:
    """Return a description of the machine and its GPU."""
    import torch

    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return {
        "GPU": torch.cuda.get_device_name(),
        "driver": driver,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": "python -m benchmarks gpu",
    }
