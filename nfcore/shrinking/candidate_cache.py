"""Exports packages of one student, runs them before the judge, and remembers what came out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nfcore.config.schema import Choice
from nfcore.interfaces import Exporter, Tolerance, VerificationUnavailable
from nfcore.interfaces.boundaries import check_exported, check_runner
from nfcore.io.atomic import write_json
from nfcore.measuring.packages import Package
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.shrinking.pareto_selection import Measured
from nfcore.shrinking.quality import Judge, Score
from nfcore.student.light_field import LightField


class Workshop:
    """Makes packages and measures them; what was measured once is read from a file the next time.

    Args:
        student: what is exported.
        judge: looks at the packages' pictures.
        manager: where exporters are found.
        memory: the file that remembers; it is of this student, these photos and these plugins or not believed.
        progress: told of each package that was measured.

    """

    def __init__(
        self,
        student: LightField,
        judge: Judge,
        manager: PluginManager,
        memory: Path,
        progress: Callable[[Measured], None] = lambda measured: None,
    ) -> None:
        self.student = student
        self.judge = judge
        self.manager = manager
        self.memory = memory
        self.progress = progress
        self._seen = _fingerprint(student, judge)

    def measure(self, choice: Choice) -> Measured:
        """Return what a package is, exported and run now or remembered. An exporter that fails gives no score."""
        data = self.remembered("package", choice, lambda: _as_data(self._new(choice)))
        measured = _from_data(choice, data)
        self.progress(measured)
        return measured

    def remembered(self, what: str, choice: Choice, find: Callable[[], Any]) -> Any:
        """Return what ``find`` found out about a choice, now or earlier: JSON values."""
        plugin, component = self.manager.find("exporter", choice.name)
        exporter = f"{plugin.distribution}/{component.name} {plugin.source.version}"
        key = json.dumps([what, self._seen, exporter, choice.options], sort_keys=True)
        known = self._read()
        if key not in known:
            known = self._read() | {key: find()}
            write_json(self.memory, known)
        return known[key]

    @contextmanager
    def made(self, choice: Choice, label: str) -> Iterator[Package]:
        """Give the package's files in a temporary folder.

        Raises:
            NfcoreError: the exporter can't make it.

        """
        with tempfile.TemporaryDirectory(prefix="nfcore-shrink-") as folder:
            yield self._export(choice, label, Path(folder))[0]

    def build(self, choice: Choice) -> Exporter[Any]:
        """Return the exporter of a choice."""
        exporter: Exporter[Any] = self.manager.build("exporter", choice.name, choice.options)
        return exporter

    def _new(self, choice: Choice) -> Measured:
        try:
            with tempfile.TemporaryDirectory(prefix="nfcore-shrink-") as folder:
                package, precision = self._export(choice, "", Path(folder))
                size = package.bytes
                runner = check_runner(package.exporter, package.exporter.load(package.folder))
                score = self.judge.score(runner.render)
        except VerificationUnavailable as why:
            return Measured(choice, precision, size, refused=f"it can't be run here: {why}")
        except Exception as error:  # one exporter that fails must not keep the others from being measured
            return Measured(choice, "not made", 0, refused=reason(error))
        short = _shortfall(score, package.exporter.tolerance)
        return Measured(choice, precision, size, score, refused=short, timed=runner.timed)

    def _export(self, choice: Choice, label: str, folder: Path) -> tuple[Package, str]:
        exporter = self.build(choice)
        exported = check_exported(exporter, exporter.export(self.student, folder), folder)
        return Package(label, choice, exporter, folder), exported.precision

    def _read(self) -> dict[str, Any]:
        try:
            remembered = json.loads(self.memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none yet, or damaged: it is only a short cut
            return {}
        return remembered if isinstance(remembered, dict) else {}


def _shortfall(score: Score, floor: Tolerance) -> str | None:
    if score.psnr_vs_torch < floor.psnr:
        return f"{score.psnr_vs_torch:.1f} dB against torch, its floor is {floor.psnr:g}"
    if score.max_error > floor.max_error:
        return f"differs from torch by up to {score.max_error:.2g}, at most {floor.max_error:g} is allowed"
    return None


def _fingerprint(student: LightField, judge: Judge) -> str:
    """Return what a student and its judge are, in a few letters."""
    digest = hashlib.blake2b(f"{version('neural-field-core')} {torch.__version__}".encode(), digest_size=16)
    for tensor in (*student.state_dict().values(), judge.cameras.poses, judge.photos):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _as_data(measured: Measured) -> dict[str, Any]:
    score = None if measured.score is None else asdict(measured.score)
    return {
        "precision": measured.precision,
        "bytes": measured.bytes,
        "score": score,
        "refused": measured.refused,
        "timed": measured.timed,
    }


def _from_data(choice: Choice, data: dict[str, Any]) -> Measured:
    score = None if data["score"] is None else Score(**data["score"])
    return Measured(choice, data["precision"], data["bytes"], score, data["refused"], timed=data["timed"])
