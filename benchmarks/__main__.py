"""``python -m benchmarks [NAME ...]``: measure, print a table, write ``benchmarks/results/NAME.json``."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

from nfcore.cli.output import print_table
from nfcore.files import write_json

RESULTS = Path(__file__).parent / "results"
QUICK = ("startup", "plugins_startup", "training_step", "call_overhead", "inference")
LONG = ("scenes", "paper_size")


def main() -> None:
    """Run the named benchmarks, or all quick ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(QUICK + LONG)}")
    for name in parser.parse_args().names or QUICK:
        if name not in QUICK + LONG:
            parser.error(f"unknown benchmark {name!r}; there is {', '.join(QUICK + LONG)}")
        benchmark = importlib.import_module(f"benchmarks.{name}")
        rows: list[dict[str, Any]] = benchmark.measure()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        print_table(columns, [[row.get(column) for column in columns] for row in rows], benchmark.__doc__)
        write_json(RESULTS / f"{name}.json", {"machine": machine(), "what": benchmark.__doc__, "rows": rows})


def machine() -> dict[str, Any]:
    """Return what was measured on."""
    import torch

    return {
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
    }


if __name__ == "__main__":
    main()
