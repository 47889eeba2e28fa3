"""Export: write a student or a teacher to files for one target, run them, and compare them with torch."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from nfcore import __version__
from nfcore.errors import NfcoreError, PluginError, UserError
from nfcore.exports.card import card
from nfcore.exports.manifest import (
    CARD,
    OF_THE_CORE,
    PICTURE,
    ExporterRecord,
    ImageRecord,
    Manifest,
    contents,
)
from nfcore.exports.parity import Comparison, compare, shortfall
from nfcore.exports.reference import Reference, component_name
from nfcore.interfaces import Exported, Exporter, SceneModel, Tolerance, VerificationUnavailable
from nfcore.interfaces.boundaries import ContractError, calling, check_exported, check_runner
from nfcore.interfaces.reporting import Reporter
from nfcore.io.atomic import atomic_path, write_atomic
from nfcore.io.images import save_png, side_by_side
from nfcore.plugin.guard import guarded
from nfcore.plugin.isolation import reason
from nfcore.student.light_field import LightField
from nfcore.student.trial import try_student

#: The folder for rejected exports, next to the others.
REJECTED = "rejected"


class ExportRejectedError(NfcoreError):
    """The files of an export differ from torch; they are kept under ``rejected/``."""


class ExportsFailedError(NfcoreError):
    """Some exports failed; the others are finished. The exit code is 2 if only the user's mistakes caused it."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def export(
    model: SceneModel | Reference,
    exporter: Exporter[Any],
    folder: Path,
    reporter: Reporter | None = None,
    *,
    required_psnr: float | None = None,
) -> Manifest:
    """Write ``model`` to ``folder``, run the files, compare them with torch, and write the manifest.

    ``folder`` is replaced only by an export that is complete and within its tolerance; otherwise the files go
    to ``rejected/`` next to it. Both have manifest, model card and picture next to the exporter's files.

    Args:
        model: a student, or a ``FittedTeacher`` for an exporter that takes a teacher; or a ``Reference``, which
            adds file and photos and caches torch's images for several exports.
        exporter: writes and loads the files.
        folder: where to write them; its name is the export's label.
        reporter: receives the progress.
        required_psnr: required PSNR against torch in dB, instead of the exporter's own tolerance.

    Raises:
        UserError: the folder is named ``rejected``, or the exporter takes the other kind of model.
        ExportRejectedError: the files can't be run, or differ from torch by more than the tolerance.
        NfcoreError: the exporter raised it.

    """
    if folder.name == REJECTED:
        raise UserError(f"{folder}: this name is reserved for rejected exports: choose another")
    reference = model if isinstance(model, Reference) else Reference(model)
    if exporter.takes != reference.kind:
        name = component_name(reference.components, "exporter", exporter)
        raise UserError(f"exporter {name!r} takes a {exporter.takes}, not a {reference.kind}")
    reporter = reporter or Reporter()
    reporter.start(1 + len(reference.cameras), "view")
    tolerance = exporter.tolerance if required_psnr is None else Tolerance(psnr=required_psnr)
    found = _Findings()
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with found.timed("export"), calling(exporter, "export"), guarded(filters=False, random=False):
            exported = exporter.export(reference.model, temporary)
        check_exported(exporter, exported, temporary)
        _check_names(temporary, exporter)
        reporter.step(1)
        _verify(reference, exporter, temporary, tolerance, found, reporter)
        manifest = _manifest(reference, exporter, exported, temporary, tolerance, found)
        _write_core_files(manifest, reference, found.comparison, temporary)
        rejected = folder.parent / REJECTED / folder.name
        if manifest.rejected is not None:
            with atomic_path(rejected) as kept:
                temporary.rename(kept)
            text = f"export {folder.name!r} {manifest.rejected}; its files: {rejected}"
            raise ExportRejectedError(text) from found.error
    shutil.rmtree(rejected, ignore_errors=True)  # of an earlier attempt
    with suppress(OSError):  # not empty, or it does not exist
        rejected.parent.rmdir()
    return manifest


@dataclass
class _Findings:
    """The findings on an export while it is made."""

    seconds: dict[str, float] = field(default_factory=dict)
    verified_by: str | None = None
    comparison: Comparison | None = None
    unavailable: str | None = None
    rejected: str | None = None
    error: Exception | None = None

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Record how long ``what`` takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[what] = round(time.monotonic() - began, 2)


def _verify(
    reference: Reference,
    exporter: Exporter[Any],
    folder: Path,
    tolerance: Tolerance,
    found: _Findings,
    reporter: Reporter,
) -> None:
    """Run the files in ``folder`` and compare them; any error rejects the export."""
    reference.images  # noqa: B018 - rendered now, so that the first export's time does not include it
    try:
        with found.timed("load"):
            runner = check_runner(exporter, exporter.load(folder))
        found.verified_by = runner.verified_by
        with found.timed("compare"):
            found.comparison = compare(reference, runner, reporter)
    except VerificationUnavailable as why:
        found.unavailable = str(why)
    except Exception as error:  # an exporter's runtime may raise anything
        found.error = error
        found.rejected = f"can't be run: {reason(error)}"
    else:
        missing = shortfall(found.comparison.parity, tolerance)
        if missing and isinstance(reference.model, LightField):
            try_student(reference.model)  # the student itself may not be deterministic
        found.rejected = missing and f"differs from torch: {missing}"


def _manifest(
    reference: Reference,
    exporter: Exporter[Any],
    exported: Exported,
    folder: Path,
    tolerance: Tolerance,
    found: _Findings,
) -> Manifest:
    model, comparison = reference.model, found.comparison
    not_verified = list(exported.unverified)
    if reference.no_photos is not None:
        not_verified.append(f"PSNR against photos: {reference.no_photos}")
    if found.unavailable is not None:
        not_verified.insert(0, found.unavailable)
    return Manifest(
        label=folder.name,
        created=datetime.now(UTC).replace(microsecond=0),
        model=reference.record,
        exporter=_exporter_record(reference, exporter),
        image=ImageRecord(width=model.cameras.width, height=model.cameras.height, pixels_per_ray=model.scale),
        precision=exported.precision,
        target=exported.target,
        files=exported.files,
        contents=contents(folder),
        extras=exported.extras,
        tolerance=tolerance,
        verified_by=found.verified_by,
        parity=None if comparison is None else comparison.parity,
        photos=None if comparison is None else comparison.photos,
        not_verified=tuple(not_verified),
        rejected=found.rejected,
        report=_as_json(exported.report),
        seconds=found.seconds,
    )


def _as_json(report: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return an exporter's findings as JSON values, as they are after a round trip."""
    values: dict[str, JsonValue] = json.loads(json.dumps(dict(report)))
    return values


def _write_core_files(
    manifest: Manifest, reference: Reference, comparison: Comparison | None, folder: Path
) -> None:
    images = (reference.images[0][0],) if comparison is None else comparison.images
    save_png(folder / PICTURE, side_by_side([image.permute(1, 2, 0) for image in images]))
    write_atomic(folder / CARD, card(manifest))
    manifest.write(folder)


def _check_names(folder: Path, exporter: Exporter[Any]) -> None:
    """Check that the exporter did not write a file of the core's names."""
    for own in OF_THE_CORE:
        if (folder / own).exists():
            raise ContractError(exporter, "exporter.core-names", f"it wrote {own!r}")


def _exporter_record(reference: Reference, exporter: Exporter[Any]) -> ExporterRecord:
    name = component_name(reference.components, "exporter", exporter)
    distribution = name.partition("/")[0]
    try:
        release = version(distribution)
    except PackageNotFoundError:  # run from source, or not offered by a plugin
        release = None
    return ExporterRecord(
        name=name,
        version=release,
        options=exporter.options.model_dump(mode="json"),
        nfcore=__version__,
    )


def exports_failed(failed: dict[str, Exception], of: int) -> ExportsFailedError:
    """Return the error that names the failed exports, out of ``of``, with the reasons."""
    mistakes = [isinstance(error, UserError) and not isinstance(error, PluginError) for error in failed.values()]
    code = UserError.exit_code if all(mistakes) else NfcoreError.exit_code
    if of == 1:
        return ExportsFailedError(reason(next(iter(failed.values()))), code)
    lines = [f"{name}: {reason(error)}" for name, error in failed.items()]
    return ExportsFailedError("\n  ".join([f"{len(failed)} of {of} exports failed", *lines]), code)
