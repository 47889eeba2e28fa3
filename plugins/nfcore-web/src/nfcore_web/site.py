"""The pages of ``nfcore view``: the viewer, the run's report and its progress."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nfcore
import nfcore.runs
from nfcore import NfcoreError
from nfcore.config import StageConfig
from nfcore.exports import manifests
from nfcore.io import html_template, inside, open_file, read_file
from nfcore.runs import Artifacts, ModelFile, Run
from nfcore_web.exporter import FILE
from nfcore_web.live import IMAGES, Live
from nfcore_web.page import FRONT, MOST_PAGE, text
from nfcore_web.progress import REPORT, previews, progress
from nfcore_web.server import Resource

# Files that an exported page may offer.
_MODELS = ("mesh.glb", "mesh.usdz")
_FRESH = 0.5  # seconds in which all clients get one state
_WAIT = 2.0  # seconds between looks for a student that is still being trained


class Site:
    """The pages of a run or a model's file; ``work`` creates the viewer, in a thread of its own.

    Args:
        path: a run's folder, a student's or a teacher's ``.safetensors``, or an exported page.

    Raises:
        UserError: ``path`` is none of these.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.artifacts = None if path.is_file() else nfcore.runs.open(path, device="cpu")
        self.title = path.resolve().stem if path.is_file() else path.resolve().name
        self.live = None if self.artifacts is None else Live(self.artifacts, self.title)
        self.models: dict[str, Path] = {}  # meshes next to the viewer's page
        self.viewer: Resource | None = None
        self.problem: str | None = None
        self.working = True
        self.closed = threading.Event()
        self._lock, self._state = threading.Lock(), (-_FRESH, Resource.json({}))
        if path.suffix == ".html":
            self.viewer = Resource.viewer(read_file(path, MOST_PAGE))
            self.working = False

    @property
    def run(self) -> Run | None:
        """The run's folder, if it is a run."""
        return self.artifacts.run if self.artifacts else None

    def find(self, path: str) -> Resource | None:
        """Return the resource at ``path``."""
        if path == "/viewer.html":
            return self.viewer
        if path in self.models:
            return Resource.model(read_file(self.models[path], MOST_PAGE))
        if self.live is not None and path == "/live.html":
            return self.live.page()
        if self.live is not None and path.startswith(IMAGES):
            return self.live.image(path)
        fixed: dict[str, Callable[[], Resource]] = {
            "/": lambda: Resource.html(html_template(FRONT, "view.html").render(title=self.title)),
            "/view.css": lambda: Resource(text("view.css").encode(), "text/css; charset=utf-8"),
            "/view.js": lambda: Resource(text("view.js").encode(), "text/javascript; charset=utf-8"),
            "/state.json": self._fresh_state,
        }
        report = self.run.folder / REPORT if self.run else None
        if path == f"/{REPORT}" and self.run and report is not None and inside(report, self.run.folder):
            return Resource.report(read_file(report, MOST_PAGE))
        if path in fixed:
            return fixed[path]()
        return self._preview(path)

    def _fresh_state(self) -> Resource:
        """Return the state, read again only after half a second, however many ask for it."""
        with self._lock:
            if time.monotonic() - self._state[0] >= _FRESH:
                self._state = time.monotonic(), Resource.json(self.state())
            return self._state[1]

    def state(self) -> dict[str, Any]:
        """Return the state of the pages for the browser."""
        found = self._progress(self.run) if self.run else None
        return {
            "viewer": self.viewer is not None,
            "live": self.working and self.viewer is None and self._can_be_seen(),
            "student": self.run is None or self.run.config.student is not None,
            "working": self.working,
            "problem": self.problem or (found or {}).get("problem"),
            "progress": found,
        }

    def _progress(self, run: Run) -> dict[str, Any]:
        """Return the run's progress, with its stage's number of steps if the configuration has it."""
        found = progress(run)
        stage = getattr(run.config, found["stage"] or "", None)
        return found | {"total": stage.steps if isinstance(stage, StageConfig) else None}

    def _can_be_seen(self) -> bool:
        """Whether there is a checkpoint or a fitted teacher; it is read on demand."""
        if self.run is None:
            return False
        files = [self.run.checkpoint_file(stage) for stage in ("teach", "distill", "finetune")]
        return any(file.is_file() for file in [*files, self.run.teacher_file])

    def work(self) -> None:
        """Create the viewer as soon as there is a student.

        A run without a student has one if it exported a page of its teacher.
        """
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
            self.viewer = self._viewer(ModelFile(self.path, device="cpu"), self.path)
            return
        while not self.artifacts.finished:
            if self.closed.wait(_WAIT):
                return
        file = self.artifacts.exportable_file(self.artifacts.renderer)
        self.viewer = self._viewer(self.artifacts, file)

    def _viewer(self, opened: Artifacts | ModelFile, file: Path) -> Resource | None:
        """Return a page that the run has exported from its model's ``file``, or a new one if that is a student."""
        page = self._exported(file)
        if page is None and opened.renderer == "student":
            exporter: Any = nfcore.plugins().build("exporter", "nfcore-web/web", {"title": self.title[:80]})
            with tempfile.TemporaryDirectory() as folder:
                exporter.export(opened.student, Path(folder))
                page = (Path(folder) / FILE).read_bytes()
        return None if page is None else Resource.viewer(page)

    def _exported(self, file: Path) -> bytes | None:
        """Return the page of an export of the model as it is now in its ``file``; None if there is none."""
        if self.artifacts is None:
            return None
        with open_file(file) as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        for folder, manifest in manifests(self.artifacts.run.exports_folder):
            pages = (content.path for content in manifest.contents if content.path.endswith(".html"))
            if manifest.model.sha256 == digest and (page := next(pages, None)):
                names = [name for name in _MODELS if inside(folder / name, folder)]
                self.models = {f"/{name}": folder / name for name in names}
                return read_file(folder / page, MOST_PAGE) if inside(folder / page, folder) else None
        return None

    def _preview(self, path: str) -> Resource | None:
        match path.split("/"):
            case ["", "previews", name] if self.run:
                preview = previews(self.run.folder).get(name)
                return Resource.png(read_file(preview)) if preview else None
        return None
