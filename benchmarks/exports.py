"""Every precision of every exporter, and mixed precision: size, quality, latency, the smallest package.

``python -m benchmarks exports:RUN`` measures the student of a finished run, without changing the run, and size and
parity of the paper's architecture, untrained.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.students import build
from nfcore import Views, plugins, runs
from nfcore.config.schema import Choice
from nfcore.exports.parity import compare
from nfcore.measuring.latency import Latencies
from nfcore.runs import Artifacts
from nfcore.shrinking.candidate_cache import CandidateCache
from nfcore.shrinking.candidates import measure_candidates, pareto, time_packages
from nfcore.shrinking.pareto_selection import Limits, Measured, smallest
from nfcore.shrinking.quality import Score, photo_reference
from nfcore.testing.student import make_uneven
from nfcore.views.photo_split import validation_images

LIMITS = Limits(loss=0.05)
PHOTOS = 8
#: The evaluator of Core ML packages needs many seconds for a view of the paper's size.
PAPER_VIEWS = 1
PAPER_PRECISIONS = ("fp16", "int8", "palette-6")
PAPER_BYTES = 3_400_000
#: Standard deviation of a colour value: a PSNR of 31 dB, the mean of the paper's students.
NOISE = 0.028


def measure(run: str | None = None) -> list[dict[str, Any]]:
    """Return a row for each package of the run's student, and for each of the paper's architecture."""
    if run is None:
        sys.exit(
            "the exports benchmark needs a trained student: python -m benchmarks exports:RUN, with a run such as "
            "nfcore run guided --scene blender:PATH/lego --set image_size=200 --export '' makes"
        )
    with tempfile.TemporaryDirectory() as folder:
        return [*_of_run(runs.open(run, device="cpu"), Path(folder)), *_of_paper(Path(folder))]


def _of_run(run: Artifacts, folder: Path) -> list[dict[str, Any]]:
    student, source = run.student, run.source
    reference = photo_reference(student, validation_images(source), PHOTOS)
    cache = CandidateCache(reference, plugins(), folder / "run.json")
    names = sorted({component.name for _, component in plugins().components("exporter")})
    found = measure_candidates(cache, names, LIMITS)
    threads = sorted({1, os.cpu_count() or 1})
    latencies = time_packages(cache, found, threads, seconds=1.0)
    chosen = smallest(found, LIMITS)
    on_test = photo_reference(student, source.views("test"), PHOTOS)
    with cache.made(chosen.choice, "chosen") as package:
        test_loss = Score.of(compare(on_test, package.exporter.load(package.folder))).loss
    cameras = student.cameras
    size = f"{cameras.width}x{cameras.height}"
    name = f"{source.name}, {size}, {mean(reference.torch_psnr):.2f} dB on {PHOTOS} validation images"
    rows = []
    for index, one in enumerate(found):
        verdict = one.exceeded(LIMITS) or "within the loss"
        if one is chosen:
            verdict = f"smallest that loses at most {LIMITS.loss} dB; {test_loss:.3f} dB on test views"
        rows.append(_row(name, one) | _times(latencies, str(index), threads) | {"verdict": verdict})
    front = [id(one) for one in pareto(found)]
    return [row | {"front": "yes" if id(one) in front else ""} for row, one in zip(rows, found, strict=True)]


def _of_paper(folder: Path) -> list[dict[str, Any]]:
    """Return a row for some Core ML precisions of the paper's student, with norms as uneven as trained ones.

    Its photos are its own images with noise, to which its PSNR is that of a trained student.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student = build("mobiler2l", 800)
        make_uneven(student)
    cameras = student.cameras[:PAPER_VIEWS]
    own = student.render(cameras).permute(0, 2, 3, 1)
    photos = own + NOISE * torch.randn(own.shape, generator=generator)
    views = Views(cameras, photos, None, tuple(map(str, range(PAPER_VIEWS))))
    cache = CandidateCache(photo_reference(student, views, PAPER_VIEWS), plugins(), folder / "paper.json")
    rows = []
    for precision in PAPER_PRECISIONS:
        began = time.process_time()
        one = cache.measure(Choice.model_validate({"name": "coreml", "precision": precision}))
        row = _row("the paper's architecture, 800x800, untrained, against its own noisy pictures", one)
        small = f"at most {PAPER_BYTES / 1e6} MB" if one.bytes <= PAPER_BYTES else ""
        verdict = one.refused or f"within its tolerance{small and ', '}{small}"
        rows.append(row | {"processor s": round(time.process_time() - began), "verdict": verdict})
    return rows


def _row(student: str, one: Measured) -> dict[str, Any]:
    score = one.score
    return {
        "student": student,
        "package": one.label,
        "options": " ".join(f"{key}={value}" for key, value in one.choice.options.items() if key != "bits"),
        "MB": round(one.bytes / 1e6, 3) if one.bytes else "",
        "bits": "" if one.bits is None else round(one.bits, 2),
        "dB against torch": "" if score is None else round(score.psnr_vs_torch, 1),
        "PSNR photos": "" if score is None else round(score.psnr, 2),
        "loss, dB": "" if score is None else round(score.loss, 3) + 0.0,
    }


def _times(latencies: Latencies, label: str, threads: list[int]) -> dict[str, Any]:
    """Return the columns of latency, empty for a package that can't be timed here."""
    columns: dict[str, Any] = {}
    for count in threads:
        row = latencies.of(label, count)
        columns[f"ms, {count} threads"] = "" if row is None else round(1e3 * row.timing.median, 2)
        columns[f"of the peak, {count} threads"] = "" if row is None else round(row.share_of_peak, 2)
    return columns
