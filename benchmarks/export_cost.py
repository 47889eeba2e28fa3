"""Time and memory of exporting the paper's full-size student, each export in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.earlier import earlier
from benchmarks.students import build

#: The promised limits of any exporter for this student; 6-bit k-means may take longer.
SECONDS, GIB = 60, 4
LONGER = {"palette-6": 120, "grouped-6": 120}


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return seconds and peak memory of each variant of each exporter; names without ``only`` keep old results."""
    from nfcore import plugins

    rows, before = [], earlier("export_cost", "export")
    with tempfile.TemporaryDirectory() as folder:
        student = Path(folder) / "student.safetensors"
        build("mobiler2l", 800).save(student)
        for _, component in plugins().components("exporter"):
            for options in plugins().load("exporter", component.name).variants():
                label = " ".join([component.name, *(f"{name}={value}" for name, value in options.items())])
                if only in label:
                    rows.append({"export": label, **_cost(student, component.name, options)})
                elif label in before:
                    rows.append(before[label])
    return rows


def _cost(student: Path, exporter: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Export once, including start-up and verification at eight poses; a failure is reported in the row."""
    changes = [part for name, value in options.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    nfcore = str(Path(sys.executable).parent / "nfcore")
    command = [nfcore, "export", str(student), exporter, *changes, "--out", str(student.parent / "out")]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--quiet", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    printed, complaint = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = json.loads(printed).get(exporter, {}) if printed else {}
    row = {
        "wall s": round(time.perf_counter() - began, 1),
        "CPU s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak GiB": round(usage.ru_maxrss / (1 << 20), 2),
    }
    row["holds"] = row["wall s"] <= LONGER.get(str(options.get("precision")), SECONDS) and row["peak GiB"] <= GIB
    if process.returncode:
        return row | {"failed": complaint.decode().strip().splitlines()[-1]}
    return row | {
        "MB": round(figures["bytes"] / 1e6, 2),
        "dB against torch": round(figures["psnr_vs_torch"], 1),
        "max error": f"{figures['max_error']:.1e}",
    }
