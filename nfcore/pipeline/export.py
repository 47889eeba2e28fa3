"""Export: a student to files for one target, compared with torch before anyone relies on them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from nfcore.cameras import Cameras
from nfcore.errors import NfcoreError
from nfcore.files import atomic_path
from nfcore.interfaces import Exporter, ParityFloor, Runner, VerificationUnavailable
from nfcore.light_field import LightField
from nfcore.metrics import psnr
from nfcore.reporting import Reporter

_POSES = 8
_EQUAL = 140.0  # dB: what bit-equal images count as; float32 holds no finer difference


@dataclass(frozen=True)
class ExportReport:
    """What was exported and what was measured of it.

    Args:
        bytes: size of all files.
        verified_by: what ran the files, or None where this platform can't.
        not_verified: why they were not run, or None.
        psnr_vs_torch: least PSNR over the compared images in dB, or None if not measured.
        max_error: greatest difference of a colour value in [0, 1], or None if not measured.

    """

    bytes: int
    verified_by: str | None = None
    not_verified: str | None = None
    psnr_vs_torch: float | None = None
    max_error: float | None = None

    def figures(self) -> dict[str, int | float | str]:
        """Return what was measured, without what was not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def export(
    student: LightField, exporter: Exporter, folder: Path, reporter: Reporter | None = None
) -> ExportReport:
    """Write ``student`` to ``folder`` and compare the files with torch at the student's reference cameras.

    ``folder`` is replaced only by an export that is whole and reaches its floor; one that does not is kept
    beside it under ``rejected/``.

    Raises:
        NfcoreError: the files differ from torch by more than the exporter's floor allows.

    """
    reporter = reporter or Reporter()
    cameras = evenly_spaced(student.cameras, _POSES)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        reporter.start(1 + len(cameras), "view")
        exporter.export(student, temporary)
        size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
        reporter.step(1)
        try:
            runner = exporter.load(temporary)
        except VerificationUnavailable as why:
            return ExportReport(size, not_verified=str(why))
        least, greatest = compare(student, runner, cameras, reporter)
        shortfall = _shortfall(least, greatest, exporter.parity_floor)
        if shortfall:
            rejected = folder.parent / "rejected" / folder.name
            with atomic_path(rejected) as kept:
                temporary.rename(kept)
            raise NfcoreError(f"export {folder.name!r} differs from torch: {shortfall}; its files: {rejected}")
    return ExportReport(size, runner.verified_by, psnr_vs_torch=least, max_error=greatest)


@torch.no_grad()
def compare(
    student: LightField, runner: Runner, cameras: Cameras, reporter: Reporter | None = None
) -> tuple[float, float]:
    """Return the least PSNR (dB) and the greatest absolute difference between exported files and torch."""
    least, greatest = _EQUAL, 0.0
    for index in range(len(cameras)):
        camera = cameras[index]
        ours = student.render(camera)
        theirs = runner.render(camera.poses, camera.intrinsics).float()
        if theirs.shape != ours.shape or not theirs.isfinite().all():
            return 0.0, 1.0
        greatest = max(greatest, float((ours - theirs).abs().max()))
        least = min(least, float(psnr(theirs, ours)))
        (reporter or Reporter()).step(index + 2, psnr=least)
    return least, greatest


def evenly_spaced(cameras: Cameras, count: int) -> Cameras:
    """Return at most ``count`` of the cameras, spread evenly over their order."""
    if len(cameras) <= count:
        return cameras
    return cameras[(torch.arange(count) * len(cameras)).div(count, rounding_mode="floor")]


def _shortfall(least: float, greatest: float, floor: ParityFloor) -> str | None:
    if least < floor.psnr:
        return f"{least:.1f} dB where at least {floor.psnr:.1f} are due"
    if greatest > floor.max_error:
        return f"by up to {greatest:.2g} where at most {floor.max_error:.2g} is allowed"
    return None
