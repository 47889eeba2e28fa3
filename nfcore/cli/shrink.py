"""``nfcore shrink``: find the smallest export of a run that loses almost no quality."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nfcore.cli import completion
from nfcore.cli.options import RUNS, QuietOption, RunArgument, RunsOption, ThreadsOption, examples, run_folder
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import NfcoreError, UserError
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.exports.reference import Reference
    from nfcore.interfaces.exporter import Takes
    from nfcore.runs import Artifacts, Run
    from nfcore.shrinking.pareto_selection import Limits, Measured
    from nfcore.shrinking.quality import Score
    from nfcore.shrinking.report import ChosenExport

_EXAMPLES = examples(
    "nfcore shrink quickstart --exporter onnx", "nfcore shrink quickstart --max-loss 0.1 --max-size 2MB"
)


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=_EXAMPLES)(shrink)


def shrink(
    run: RunArgument,
    max_loss: Annotated[float, typer.Option(min=0, help="Maximum loss of PSNR against the photos, dB.")] = 0.05,
    max_size: Annotated[str | None, typer.Option(metavar="SIZE", help="Maximum size, such as 3.4MB.")] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Maximum latency of one image on this machine, such as 30ms."),
    ] = None,
    exporters: Annotated[
        str | None,
        typer.Option(
            "--exporter",
            help="Exporters to choose from, comma-separated; by default those of the run that take its student "
            "(its teacher where there is none).",
            autocompletion=completion.exporters,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of every package, such as form=split."),
    ] = None,
    photos: Annotated[int, typer.Option(min=1, help="Maximum number of validation images to compare with.")] = 8,
    threads: ThreadsOption = None,
    again: Annotated[bool, typer.Option("--again", help="Ignore measurements of earlier calls.")] = False,
    runs_folder: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose among precisions, also mixed by layer, the smallest package that loses at most --max-loss.

    Quality is measured on validation images; the loss on the test views is reported as well. The chosen package
    becomes the run's export EXPORTER-small.
    """
    import torch

    from nfcore import runs
    from nfcore.config.resolve import parse_change
    from nfcore.exports.parity import compare
    from nfcore.measuring.quantities import parse_bytes, parse_seconds
    from nfcore.runs.execution import rewrite_report
    from nfcore.runs.lock import locked
    from nfcore.shrinking.candidate_cache import CandidateCache
    from nfcore.shrinking.candidates import measure_candidates
    from nfcore.shrinking.pareto_selection import Limits, smallest
    from nfcore.shrinking.quality import Score, photo_reference
    from nfcore.shrinking.report import ChosenExport
    from nfcore.ui.console import Console, ConsoleReporter
    from nfcore.views.photo_split import validation_images

    size = None if max_size is None else parse_bytes(max_size)
    limits = Limits(max_loss, size, None if max_latency is None else parse_seconds(max_latency))
    artifacts = runs.open(run_folder(run, runs_folder), plugins(), device="cpu")
    opened = artifacts.run
    names = _exporters(artifacts, exporters)
    options = dict(parse_change(change, "form=split") for change in changes or ())
    threads = threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    measured_before = opened.folder / "state" / "shrink.json"
    if again:
        measured_before.unlink(missing_ok=True)
    model = artifacts.exportable(_takes(names))
    with Console(quiet=quiet) as console, locked(opened.folder, console.note):
        source = artifacts.source
        reference = photo_reference(model, validation_images(source), photos)
        cache = CandidateCache(reference, plugins(), measured_before)
        reporter = ConsoleReporter(console, "shrink")
        measured = measure_candidates(cache, names, limits, options=options, threads=threads, reporter=reporter)
        try:
            chosen = smallest(measured, limits)
        except NfcoreError:
            _report(opened, limits, reference, measured, None, as_json=as_json)  # the candidates are shown
            raise
        label = _keep(opened, chosen)
        runs.Scheduler(artifacts, console).do("export", [label])
        runner = cache.build(chosen.choice).load(opened.exports_folder / label)
        assert chosen.score is not None  # the selection requires one
        on_test = Score.of(compare(photo_reference(model, source.views("test"), photos), runner))
    rewrite_report(artifacts, Console(quiet=quiet))
    _report(
        opened, limits, reference, measured, ChosenExport(label, chosen, chosen.score, on_test), as_json=as_json
    )


def _exporters(opened: Artifacts, text: str | None) -> list[str]:
    """Return the exporters that the user names, or those of the run that take what it renders with."""
    run = opened.run
    if text is None:
        names = [
            choice.name
            for choice in run.config.export.values()
            if plugins().load("exporter", choice.name).takes == opened.renderer
        ]
    else:
        names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError(
            f"{run.folder} has no exports: choose exporters that take a {opened.renderer} with --exporter; "
            "'nfcore plugins list' shows all"
        )
    return list(dict.fromkeys(names))


def _takes(exporters: Iterable[str]) -> Takes:
    """Return whether the exporters take the student or the teacher; a mixture is an error."""
    takes: dict[str, Takes] = {name: plugins().load("exporter", name).takes for name in exporters}
    (kind, *others) = set(takes.values())
    if others:
        listed = ", ".join(f"{name} takes the {takes[name]}" for name in takes)
        raise UserError(f"choose exporters of one kind with --exporter: {listed}")
    return kind


def _keep(run: Run, chosen: Measured) -> str:
    """Add the chosen package to the run's exports, to be exported again; return its label."""
    from nfcore.config.schema import ExportChoice

    label = f"{chosen.choice.name.rpartition('/')[2]}-small"
    choice = ExportChoice.model_validate(chosen.choice.model_dump())
    run.set_config(run.config.model_copy(update={"export": run.config.export | {label: choice}}))
    run.forget_one(f"export.{label}")
    return label


def _report(
    run: Run,
    limits: Limits,
    reference: Reference,
    measured: Sequence[Measured],
    kept: ChosenExport | None,
    *,
    as_json: bool,
) -> None:
    """Print the candidates and the choice; write ``shrink.json`` and ``shrink.png``."""
    from nfcore.io.atomic import write_json
    from nfcore.shrinking.candidates import pareto
    from nfcore.shrinking.pareto_selection import megabytes
    from nfcore.shrinking.report import as_data, save_picture

    name = run.folder.resolve().name
    data = as_data(name, reference, limits, measured, kept)
    write_json(run.folder / "shrink.json", data)
    picture = run.folder / "shrink.png"
    drawn = save_picture(picture, name, measured, kept)
    if as_json:
        print_json(data)
        return
    front = pareto(measured)
    rows = [_cells(one, limits, one in front, kept is not None and one is kept.chosen) for one in measured]
    columns = ["", "size", "bits", "PSNR photos", "loss dB", "against torch", "ms", "Pareto", ""]
    images, in_torch = data["validation"]["images"], data["validation"]["torch_psnr"]
    print_table(columns, rows, f"{name}: {images} validation images, on which torch has {in_torch:.2f} dB")
    if kept is not None:
        say(
            f"chosen: {kept.chosen.label}, {megabytes(kept.chosen.bytes)}, loses {_loss(kept.score)} dB on "
            f"validation images and {_loss(kept.on_test)} dB on test views"
        )
        say(f"export: {run.exports_folder / kept.label}")
    if drawn:
        say(f"plot: {picture}")


def _cells(one: Measured, limits: Limits, on_front: bool, chosen: bool) -> list[str | None]:
    score = one.score
    return [
        one.label,
        f"{one.bytes / 1e6:.3f} MB" if one.bytes else None,
        None if one.bits is None else f"{one.bits:.2f}",
        None if score is None else f"{score.psnr:.2f}",
        None if score is None else _loss(score),
        None if score is None else f"{score.psnr_vs_torch:.1f} dB",
        None if one.seconds is None else f"{1e3 * one.seconds:.3g}",
        "yes" if on_front else None,
        "chosen" if chosen else one.exceeded(limits),
    ]


def _loss(score: Score) -> str:
    """Return a loss as text; one that rounds to zero has no sign."""
    return f"{round(score.loss, 3) + 0.0:.3f}"
