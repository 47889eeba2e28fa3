"""``nfcore coreml``: inspect a package without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nfcore.cli import JsonOption, print_json, print_table, say

if TYPE_CHECKING:
    from nfcore_coreml.evaluator import Package


def coreml(
    path: Annotated[Path, typer.Argument(help="A .mlpackage, or an export's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show ops, types and sizes of Core ML packages, and what may not run on the Neural Engine."""
    from nfcore_coreml.report import report

    found = {package.path.name: report(package) for package in _packages(path)}
    if as_json:
        print_json(found)
        return
    for name, findings in found.items():
        _print(name, findings)


def _packages(path: Path) -> list[Package]:
    """Return the package at ``path``, or the packages in that folder.

    Raises:
        UserError: there is none.

    """
    import nfcore
    from nfcore_coreml.evaluator import Package

    if path.suffix == ".mlpackage":
        return [Package.read(path)]
    packages = sorted(path.glob("*.mlpackage"))
    if not packages:
        raise nfcore.UserError(f"{path}: no Core ML package: name a .mlpackage, or a folder that contains one")
    return [Package.read(package) for package in packages]


def _print(name: str, found: dict[str, Any]) -> None:
    weights, program = found["bytes"]["weights"], found["bytes"]["program"]
    say(f"{name}: {found['system']} or later; {weights:,} bytes of weights, {program:,} of program")
    flexible = found["flexible_shapes"]
    say(f"shapes: {'flexible: ' + ', '.join(flexible) if flexible else 'all fixed'}\n")
    print_table(["op", "result", "count"], [list(row.values()) for row in found["ops"]])
    rows = [[row["kind"], row["constants"], f"{row['values']:,}", f"{row['bytes']:,}"] for row in found["weights"]]
    print_table(["weights", "constants", "values", "bytes"], rows)
    rows = [
        [
            row["what"],
            ", ".join(f"{count} {op}" for op, count in row["ops"].items()),
            row["then"],
            "\n".join(row["sources"]),
        ]
        for row in found["neural_engine"]
    ]
    print_table(["not for the Neural Engine", "here", "Core ML", "source"], rows)
    say(f"Limits: {found['limits']}.")
