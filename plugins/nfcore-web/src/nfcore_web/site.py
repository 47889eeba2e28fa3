"""The pages of ``nfcore view``: the viewer, the run's report and its progress."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nfcore
import nfcore.runs
from nfcore import LightField, NfcoreError
from nfcore.config import StageConfig
from nfcore.runs import Run
from nfcore_web.exporter import FILE
from nfcore_web.page import template, text
from nfcore_web.progress import REPORT, previews, progress
from nfcore_web.server import Resource

_WAIT = 2.0  # seconds between looks for a student that is still being trained


class Site:
    """The pages of a run or a student file; ``work`` creates the viewer, in a thread of its own.

    Args:
        path: a run's folder, a student's ``.safetensors``, or an exported page.

    Raises:
        UserError: ``path`` is none of these.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.artifacts = None if path.is_file() else nfcore.runs.open(path, device="cpu")
        self.title = path.resolve().stem if path.is_file() else path.resolve().name
        self.viewer: Resource | None = None
        self.problem: str | None = None
        self.working = True
        self.closed = threading.Event()
        if path.suffix == ".html":
            self.viewer = Resource(path.read_bytes(), "text/html; charset=utf-8")
            self.working = False

    @property
    def run(self) -> Run | None:
        """The run's folder, if it is a run."""
        return self.artifacts.run if self.artifacts else None

    def find(self, path: str) -> Resource | None:
        """Return the resource at ``path``."""
        if path == "/viewer.html":
            return self.viewer
        fixed: dict[str, Callable[[], Resource]] = {
            "/": lambda: Resource.html(template("view.html").render(title=self.title)),
            "/view.css": lambda: Resource(text("view.css").encode(), "text/css; charset=utf-8"),
            "/view.js": lambda: Resource(text("view.js").encode(), "text/javascript; charset=utf-8"),
            "/state.json": lambda: Resource.json(self.state()),
        }
        report = self.run.folder / REPORT if self.run else None
        if path == f"/{REPORT}" and report is not None and report.is_file():
            return Resource(report.read_bytes(), "text/html; charset=utf-8")
        if path in fixed:
            return fixed[path]()
        return self._preview(path)

    def state(self) -> dict[str, Any]:
        """Return the state of the pages for the browser."""
        return {
            "viewer": self.viewer is not None,
            "student": self.run is None or self.run.config.student is not None,
            "working": self.working,
            "problem": self.problem,
            "progress": self._progress(self.run) if self.run else None,
        }

    def _progress(self, run: Run) -> dict[str, Any]:
        """Return the run's progress, with its stage's number of steps if the configuration has it."""
        found = progress(run.folder)
        stage = getattr(run.config, found["stage"] or "", None)
        return found | {"total": stage.steps if isinstance(stage, StageConfig) else None}

    def work(self) -> None:
        """Create the viewer as soon as there is a student, or wait for the teacher if there will be none."""
        try:
            self._work()
        except (NfcoreError, OSError) as error:
            self.problem = str(error)
        finally:
            self.working = False

    def close(self) -> None:
        """End `work` while it waits."""
        self.closed.set()

    def _work(self) -> None:
        if self.viewer is not None:
            return
        if self.artifacts is None:
            self.viewer = self._page(LightField.load(self.path), self.path)
            return
        run, learns = self.artifacts.run, self.artifacts.config.student is not None
        while ("finetune" if learns else "teach") not in run.finished:
            if self.closed.wait(_WAIT):
                return
        if learns:
            self.viewer = self._page(self.artifacts.student, run.student_file)

    def _page(self, field: LightField, student: Path) -> Resource:
        """Return the run's exported page, if it is of this student, or a new one."""
        for path in self.run.exports_folder.glob(f"*/{FILE}") if self.run else ():
            if path.stat().st_mtime >= student.stat().st_mtime:
                return Resource(path.read_bytes(), "text/html; charset=utf-8")
        exporter: Any = nfcore.plugins().build("exporter", "nfcore-web/web", {"title": self.title[:80]})
        with tempfile.TemporaryDirectory() as folder:
            exporter.export(field, Path(folder))
            return Resource((Path(folder) / FILE).read_bytes(), "text/html; charset=utf-8")

    def _preview(self, path: str) -> Resource | None:
        match path.split("/"):
            case ["", "previews", name] if self.run:
                preview = previews(self.run.folder).get(name)
                return Resource.png(preview.read_bytes()) if preview else None
        return None
