"""The pages of ``nfcore view``: the viewer, test views next to their photos, and the run's progress."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nfcore
from nfcore import LightField, NfcoreError
from nfcore.config import StageConfig
from nfcore.evaluation import GREATEST_ERROR
from nfcore.pipeline import load_teacher
from nfcore.runs import Run, open_scene
from nfcore_web.comparison import ComparedView, compare_views
from nfcore_web.exporter import FILE
from nfcore_web.page import template, text
from nfcore_web.progress import REPORT, previews, progress
from nfcore_web.server import Resource

_WAIT = 2.0  # seconds between looks for a student that is still being trained


class Site:
    """The pages of a run or a student file; ``work`` creates the slow ones, in a thread of its own.

    Args:
        path: a run's folder, a student's ``.safetensors``, or an exported page.
        views: number of test views to compare.

    Raises:
        UserError: ``path`` is none of these.

    """

    def __init__(self, path: Path, views: int = 8) -> None:
        self.path = path
        self.views = views
        self.run = Run(path) if not path.is_file() else None
        self.title = path.resolve().stem if path.is_file() else path.resolve().name
        self.viewer: Resource | None = None
        self.compared: list[ComparedView] = []
        self.problem: str | None = None
        self.working = True
        self.closed = threading.Event()
        if path.suffix == ".html":
            self.viewer = Resource(path.read_bytes(), "text/html; charset=utf-8")
            self.working = False

    def find(self, path: str) -> Resource | None:
        """Return the resource at ``path``."""
        if path == "/viewer.html":
            return self.viewer
        fixed: dict[str, Callable[[], Resource]] = {
            "/": lambda: Resource.html(template("view.html").render(title=self.title, greatest=GREATEST_ERROR)),
            "/view.css": lambda: Resource(text("view.css").encode(), "text/css; charset=utf-8"),
            "/view.js": lambda: Resource(text("view.js").encode(), "text/javascript; charset=utf-8"),
            "/state.json": lambda: Resource.json(self.state()),
        }
        report = self.run.folder / REPORT if self.run else None
        if path == f"/{REPORT}" and report is not None and report.is_file():
            return Resource(report.read_bytes(), "text/html; charset=utf-8")
        if path in fixed:
            return fixed[path]()
        return self._picture(path)

    def state(self) -> dict[str, Any]:
        """Return the state of the pages for the browser."""
        return {
            "viewer": self.viewer is not None,
            "student": self.run is None or self.run.config.student is not None,
            "working": self.working,
            "problem": self.problem,
            "views": [
                {"name": view.name, "pictures": list(view.pictures), "psnr": view.psnr} for view in self.compared
            ],
            "progress": self._progress(self.run) if self.run else None,
        }

    def _progress(self, run: Run) -> dict[str, Any]:
        """Return the run's progress, with its stage's number of steps if the configuration has it."""
        found = progress(run.folder)
        stage = getattr(run.config, found["stage"] or "", None)
        return found | {"total": stage.steps if isinstance(stage, StageConfig) else None}

    def work(self) -> None:
        """Create the viewer as soon as there is a student, then the comparisons; ``close`` ends it.

        A run without a student has comparisons alone, as soon as there is a teacher.
        """
        try:
            self._work()
        except (NfcoreError, OSError) as error:
            self.problem = str(error)
        finally:
            self.working = False

    def close(self) -> None:
        """Stop waiting and rendering."""
        self.closed.set()

    def _work(self) -> None:
        if self.viewer is not None:
            return
        learns = self.run is None or self.run.config.student is not None
        while self.run and ("finetune" if learns else "teach") not in self.run.finished:
            if self.closed.wait(_WAIT):
                return
        field = None
        if learns:
            student = self.run.student_file if self.run else self.path
            field = LightField.load(student)
            self.viewer = Resource(self._page(field, student), "text/html; charset=utf-8")
        if self.run is None or self.closed.is_set():
            return
        views = open_scene(self.run.config, nfcore.plugins()).views("test")
        fitted = self.run.teacher_file
        teacher = load_teacher(fitted, nfcore.plugins()) if fitted.is_file() else None
        for view in compare_views(field, teacher, views, self.views):
            self.compared.append(view)
            if self.closed.is_set():
                return

    def _page(self, field: LightField, student: Path) -> bytes:
        """Return the run's exported page, if it is of this student, or a new one."""
        for path in self.run.exports_folder.glob(f"*/{FILE}") if self.run else ():
            if path.stat().st_mtime >= student.stat().st_mtime:
                return path.read_bytes()
        exporter: Any = nfcore.plugins().build("exporter", "nfcore-web/web", {"title": self.title[:80]})
        with tempfile.TemporaryDirectory() as folder:
            exporter.export(field, Path(folder))
            return (Path(folder) / FILE).read_bytes()

    def _picture(self, path: str) -> Resource | None:
        match path.split("/"):
            case ["", "previews", name] if self.run:
                preview = previews(self.run.folder).get(name)
                return Resource.png(preview.read_bytes()) if preview else None
            case ["", "views", index, name] if index.isdecimal() and int(index) < len(self.compared):
                picture = self.compared[int(index)].pictures.get(name.removesuffix(".png"))
                return Resource.png(picture) if picture else None
        return None
