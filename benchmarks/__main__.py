"""``python -m benchmarks [NAME ...]``: measure, print a table, write ``results/NAME.json`` and ``NAME.md``.

``scenes:PART`` measures only the runs with PART in their names again, such as ``scenes:lego-200``;
``exports:RUN`` measures the packages of a finished run's student.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from typing import Any

from benchmarks.earlier import RESULTS
from nfcore.cli.output import print_table
from nfcore.io.atomic import write_atomic, write_json

QUICK = ("startup", "plugins_startup", "training_step", "call_overhead", "inference")
LONG = (
    "distillation",
    "quality_over_time",
    "exports",
    "scenes",
    "teachers",
    "paper_size",
    "paper_protocol",
    "distillation_options",
    "step_options",
    "fused",
    "export_cost",
    "web",
    "baked",
    "snerg",
    "mobilenerf",
    "meshes",
    "splats",
    "baked_curve",
    "big_captures",
    "gpu",
)
Row = dict[str, Any]


def main() -> None:
    """Run the named benchmarks, or all quick ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(QUICK + LONG)}")
    for chosen in parser.parse_args().names or QUICK:
        name, _, only = chosen.partition(":")
        if name not in QUICK + LONG:
            parser.error(f"unknown benchmark {name!r}: choose among {', '.join(QUICK + LONG)}")
        benchmark = importlib.import_module(f"benchmarks.{name}")
        what = str(benchmark.__doc__)
        rows: list[Row] = benchmark.measure(only) if only else benchmark.measure()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        print_table(columns, [[row.get(column) for column in columns] for row in rows], what)
        # A benchmark may know more of the machine, such as its GPU.
        described = getattr(benchmark, "machine", machine)()
        write_json(RESULTS / f"{name}.json", {"machine": described, "what": what, "rows": rows})
        write_atomic(RESULTS / f"{name}.md", markdown(what, columns, rows, described))


def machine() -> dict[str, Any]:
    """Return a description of the machine."""
    import torch

    return {
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
    }


def markdown(what: str, columns: list[str], rows: list[Row], described: dict[str, Any]) -> str:
    """Return the table as a page; ``described`` is the machine."""
    measured = ", ".join(f"{name}: {value}" for name, value in described.items())
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    return f"{what}\n\n" + "\n".join(lines) + f"\n\nMeasured with {measured}.\n"


if __name__ == "__main__":
    main()
