"""The paper's size on a CPU: a few real steps of the recipe mobiler2l, its exports, peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scenes import DATA

SETTINGS = ("teach.steps=200", "distill.steps=10", "finetune.steps=2")


def measure() -> list[dict[str, Any]]:
    """Return seconds and peak memory of a shortened run at 100x100 -> 800x800."""
    if not DATA.is_dir():
        sys.exit(f"the paper_size benchmark needs real data: there is no {DATA}")
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        executable = str(Path(sys.executable).parent / "nfcore")
        began = time.perf_counter()
        output = subprocess.run(
            [
                executable,
                "run",
                "mobiler2l",
                "--scene",
                f"blender:{DATA / 'lego'}",
                *changes,
                "--runs",
                folder,
                "--json",
            ],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        seconds = time.perf_counter() - began
    summary = json.loads(output)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
    return [
        {
            "figure": "command",
            "value": "nfcore run mobiler2l --scene blender:../shared/data/nerf_synthetic/lego "
            + " ".join(changes),
        },
        {"figure": "wall s", "value": round(seconds)},
        {"figure": "peak memory, GiB", "value": round(peak, 2)},
        *(
            {"figure": name, "value": value}
            for name, value in summary.items()
            if name.startswith(("student.p", "student.m", "seconds", "export"))
        ),
    ]
