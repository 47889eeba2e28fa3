"""``nfcore plugins check``: test components against each rule of their kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nfcore.cli import completion
from nfcore.cli.checking import Report, reports_on
from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.errors import UserError
from nfcore.plugin.catalogue import check_entry
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.testing.running import Outcome


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nfcore plugins``."""
    app.command(
        epilog=examples("nfcore plugins check voxels", "nfcore plugins check blender --set path=data/lego")
    )(check)


def check(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|PATH]",
            help="A component, a distribution (all of its components), or a plugin's folder.",
            autocompletion=completion.any_component,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the component, such as path=data/lego."),
    ] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Check this entry of the catalogue too, a .toml file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Test each rule of the contract; a folder's own tests set options and known failures (xfail)."""
    from nfcore.config.resolve import parse_change

    if name is None and registry is None:
        raise UserError(
            "nothing to check: name a component, a distribution or a plugin's folder, or add --registry FILE"
        )
    entry_problems = [] if registry is None else check_entry(registry, plugins())
    options = dict(parse_change(change, "path=data/lego") for change in changes or ())
    reports = reports_on(name, options) if name is not None else []
    passed = not entry_problems and all(report.passed for report in reports)
    if as_json:
        entry = {} if registry is None else {"registry": {"file": str(registry), "problems": entry_problems}}
        print_json({"passed": passed, "components": [report.as_data() for report in reports], **entry})
    else:
        for report in reports:
            _print(report)
        for line in entry_problems or ([] if registry is None else [f"{registry}: no faults"]):
            say(line)
    raise typer.Exit(0 if passed else 1)


def _print(report: Report) -> None:
    results = [outcome.result for outcome in report.outcomes]
    counts = [f"{results.count(result)} {result}" for result in dict.fromkeys(results)]
    say(f"{report.component.kind} {report.name}: {', '.join(counts) or 'not tested'}")
    for problem in report.problems:
        say(f"  wrong: {problem}")
    for outcome, others in _grouped([o for o in report.outcomes if o.result == "failed"]):
        rule, *lines = outcome.reason.splitlines()
        say(f"  failed: {rule} ({outcome.group}.{outcome.test})")
        for line in lines:
            say(f"      {line}")
        if others:
            say(f"      the same fault fails {', '.join(others)}")
    for outcome in report.outcomes:
        if outcome.result not in ("passed", "failed"):
            say(f"  {outcome.result}: {outcome.rule} ({outcome.group}.{outcome.test})")
            say(f"      {outcome.reason}")


def _grouped(failures: list[Outcome]) -> Iterator[tuple[Outcome, list[str]]]:
    """Yield each fault once, with the ids of the other rules whose tests it fails; non-finite values first.

    Failures have the same fault if they name the same broken rule, or if the same line of code raised.
    """
    elsewhere = {(o.group, o.broken) for o in failures if o.broken != o.rule}
    groups: dict[tuple[str, str | None], list[Outcome]] = {}
    for outcome in failures:
        named = (outcome.group, outcome.broken)
        found = (outcome.group, outcome.reason.partition("\n")[2])
        groups.setdefault(named if named in elsewhere else found, []).append(outcome)
    for group in sorted(groups.values(), key=lambda group: not str(group[0].broken).endswith("finite")):
        group.sort(key=lambda outcome: outcome.rule != outcome.broken)
        yield group[0], [outcome.rule for outcome in group[1:]]
