"""The stages of a run in order: what each needs comes from the run's folder, what it makes goes there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import torch

from nfcore.config.schema import ALL_VIEWS, ExportChoice
from nfcore.errors import NfcoreError, PluginError, UserError
from nfcore.evaluation.metrics import available
from nfcore.evaluation.per_view_scores import by_view, write_view_scores
from nfcore.evaluation.publications import read_tables
from nfcore.exports.reference import Reference, evenly_spaced
from nfcore.interfaces import RaySource, Teacher, Views
from nfcore.interfaces.exporter import Takes
from nfcore.interfaces.reporting import Reporter
from nfcore.io.atomic import sweep
from nfcore.io.images import save_png
from nfcore.pipeline.distill import distill
from nfcore.pipeline.evaluate import evaluate_student, evaluate_teacher
from nfcore.pipeline.export import export, exports_failed
from nfcore.pipeline.finetune import finetune
from nfcore.pipeline.render import comparison, save_orbit
from nfcore.pipeline.teach import load_teacher, save_teacher, teach
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.runs.exportables import MADE_BY, REFERENCE_CAMERAS, exportable, exportable_file
from nfcore.runs.folder import Run, Stage
from nfcore.runs.hooks import RunHooks
from nfcore.runs.reporter import StageReporter
from nfcore.runs.scene import open_scene
from nfcore.runs.worker_reporter import Follower
from nfcore.runtime import distributed
from nfcore.runtime.devices import choose_device
from nfcore.student.complexity import macs, parameters
from nfcore.student.light_field import LightField, build_student
from nfcore.student.sizes import student_card
from nfcore.training.divergence import DivergedError
from nfcore.ui.console import Console

# The stages in which several processes train one student; the others are done by the first alone.
_SHARED = ("distill", "finetune")


class Stages:
    """Does the stages of one run, each once: a finished stage is not done again.

    Args:
        run: the run's folder.
        manager: where components are found, and the plugins that follow the run.
        console: shows progress.
        source: the scene, if it is already open.

    """

    def __init__(
        self, run: Run, manager: PluginManager, console: Console, source: RaySource | None = None
    ) -> None:
        if source is not None:
            self.source = source
        self.run = run
        self.config = run.config
        self.manager = manager
        self.console = console
        self.device = choose_device(self.config.device)
        self.hooks = RunHooks(run.folder, manager, console.note)
        self._references: dict[Takes, Reference] = {}

    def due(self, stage: Stage) -> bool:
        """Whether there is anything to do for ``stage``."""
        if stage == "export":
            return any(f"export.{label}" not in self.run.results for label in self.config.export)
        return stage not in self.run.results or (stage == "evaluate" and self._scored() != self.config.protocol)

    def do(self, stage: Stage) -> None:
        """Do ``stage`` unless it is finished.

        Raises:
            UserError: an earlier stage that it needs is not finished.
            ExportsFailedError: some of the exports failed; all were tried.

        """
        failed: dict[str, Exception] = {}
        if stage == "export" and self.config.export:
            for choice in self.config.export.values():
                with suppress(PluginError):  # a missing exporter fails alone, below
                    self._need(MADE_BY[self.manager.load("exporter", choice.name).takes])
            for label, choice in self.config.export.items():
                self._once(f"export.{label}", partial(self.export, label, choice), failed)
        elif stage != "export":
            if stage == "evaluate" and self._scored() != self.config.protocol:
                self.run.forget_one("evaluate")
            self._once(stage, getattr(self, stage))
        if distributed.first():
            self.run.write_summary()
        if failed:
            raise exports_failed(failed, of=len(self.config.export)) from next(iter(failed.values()))

    def _once(
        self,
        name: str,
        work: Callable[[Reporter], dict[str, Any]],
        failed: dict[str, Exception] | None = None,
    ) -> None:
        """Do ``work``, unless that is done: all processes together where it is shared, else the first alone.

        With ``failed``, a failure goes there, and the others need not be kept from what comes next.
        """
        if distributed.first():
            for folder in self.run.written_to(name):
                sweep(folder)
            if name in self.run.results:  # killed between the result and the end of its checkpoint
                self.run.checkpoint_of(name).unlink(missing_ok=True)
        if not distributed.agreed(name not in self.run.results):
            return
        if distributed.first():
            try:
                self._do(name, work)
            except Exception as error:
                if failed is None:
                    raise
                failed[name] = error
        elif name in _SHARED:
            work(Follower(self.run, name))
        distributed.wait()

    def _do(self, name: str, work: Callable[[Reporter], dict[str, Any]]) -> None:
        """Do ``work`` and keep its figures and its time; plugins may watch."""
        reporter = StageReporter(self.run, name, self.console, self.hooks)
        self.hooks.call("nfcore_stage_started", name)
        try:
            with reporter.resuming(), _naming_a_way_on(self.run, name):
                figures = work(reporter)
            figures[f"seconds.{name}"] = round(reporter.seconds, 1)
            self.run.finished(name, figures)
        except (Exception, KeyboardInterrupt) as error:
            self.hooks.call("nfcore_run_failed", name, error=reason(error).removesuffix(": "))
            raise
        self.hooks.call("nfcore_stage_finished", name, figures=figures)

    def do_all(self) -> None:
        """Do all stages that are not finished."""
        for stage in get_args(Stage):
            self.do(stage)

    def do_export(self, label: str) -> None:
        """Make one of the run's exports unless it is finished; the others are left as they are."""
        self._once(f"export.{label}", partial(self.export, label, self.config.export[label]))
        self.run.write_summary()

    @cached_property
    def source(self) -> RaySource:
        """The scene's photos, read when they are first needed."""
        return open_scene(self.config, self.manager)

    @cached_property
    def fitted_teacher(self) -> Teacher:
        """The run's teacher."""
        self._need("teach")
        return load_teacher(self.run.teacher, self.manager).to(self.device)

    @property
    def finished_student(self) -> LightField:
        """The run's student."""
        self._need("finetune")
        return self._load(self.run.student)

    def teach(self, reporter: Reporter) -> dict[str, Any]:
        """Fit the teacher to the photos."""
        choice = self.config.teacher
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            teacher: Teacher = self.manager.build("teacher", choice.name, choice.options, self.source.scene)
        teach(teacher.to(self.device), self.source, self.config.teach.budget(self.config.seed), reporter)
        save_teacher(teacher, self.run.teacher, self.manager)
        cameras = self.source.views("test").cameras
        return {
            "scene": self.source.name,
            "image_size": max(cameras.height, cameras.width),
            "teacher.parameters": parameters(teacher),
        }

    def distill(self, reporter: Reporter) -> dict[str, Any]:
        """Train a new student on the teacher's pseudo views."""
        student = self.new_student().to(self.device)
        distill(
            student,
            self.fitted_teacher,
            self.source,
            self.config.distill,
            seed=self.config.seed,
            reporter=reporter,
            scratch=self.run.folder / "state",
        )
        self._save(student, self.run.distilled)
        return {"student.parameters": parameters(student), "student.macs": macs(student)}

    def new_student(self) -> LightField:
        """Return the untrained student that the configuration describes."""
        cameras = evenly_spaced(self.source.views("test").cameras, REFERENCE_CAMERAS)
        card = student_card(self.config.student, self.source.scene, cameras.height, cameras.width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return build_student(card, cameras, self.manager)

    def finetune(self, reporter: Reporter) -> dict[str, Any]:
        """Train the distilled student on the photos."""
        self._need("distill")
        student = self._load(self.run.distilled)
        config, seed = self.config.finetune, self.config.seed
        verdict = finetune(student, self.source, config, seed=seed, reporter=reporter)
        self._save(student, self.run.student)
        return {"student.finetuning_kept": verdict.kept, "student.finetuning_best_step": verdict.step}

    def evaluate(self, reporter: Reporter) -> dict[str, Any]:
        """Score teacher and student on the test views of the run's protocol, before and after fine-tuning."""
        self._need("finetune")
        name = self.config.protocol
        views = self.source.views("test")
        indices = range(len(views))
        if name != ALL_VIEWS:
            protocol = read_tables(self.manager.publication(name).path).protocol
            indices = protocol.indices(len(views))
            views = views.chosen(indices)
        metrics = available(reporter.note)
        distilled, student = (self._load(path) for path in (self.run.distilled, self.run.student))
        scores = {
            "teacher.test": evaluate_teacher(self.fitted_teacher, views, reporter, metrics),
            "student.distilled": evaluate_student(distilled, views, reporter, metrics),
            "student.test": evaluate_student(student, views, reporter, metrics),
        }
        write_view_scores(self.run.view_scores, by_view(scores, indices))
        figures: dict[str, Any] = {"protocol": name, "test_views": len(views)}
        return figures | {
            f"{scored}.{metric}": value
            for scored, quality in scores.items()
            for metric, value in quality.mean.items()
        }

    def render(self, reporter: Reporter) -> dict[str, Any]:
        """Write a comparison at a test view and an orbit video."""
        student = self.finished_student
        views = self.source.views("test")
        previews = self.run.folder / "previews"
        save_png(
            previews / "comparison.png", comparison(student, self.fitted_teacher, views, index=len(views) // 8)
        )
        save_orbit(student, previews / "orbit.mp4", reporter=reporter)
        return {}

    def export(self, label: str, choice: ExportChoice, reporter: Reporter) -> dict[str, Any]:
        """Export the student, or the teacher, once and compare the files with torch and the photos."""
        exporter = self.manager.build("exporter", choice.name, choice.options)
        reference = self._references.get(exporter.takes) or self._reference(exporter.takes)
        self._references[exporter.takes] = reference
        folder = self.run.exports / label
        manifest = export(reference, exporter, folder, reporter, required_psnr=choice.required_psnr)
        return {f"export.{label}.{name}": value for name, value in manifest.figures().items()}

    def _reference(self, takes: Takes) -> Reference:
        """Return what is exported, with the test photos where they are at hand."""
        return Reference(
            exportable(self.run, takes, self.manager),
            file=exportable_file(self.run, takes),
            scene=self.run.results.get("teach", {}).get("scene"),
            photos=self._photos(),
            components=self.manager,
        )

    def _photos(self) -> Views | str:
        """Return the test photos, or why there are none: a run may be exported where its data set is not."""
        try:
            return self.source.views("test")
        except NfcoreError as error:
            return f"they are not here: {reason(error)}"

    def _scored(self) -> str:
        """Return the protocol by which the run was scored; runs that do not say it scored every view."""
        return str(self.run.results.get("evaluate", {}).get("protocol", ALL_VIEWS))

    def _load(self, path: Path) -> LightField:
        return LightField.load(path, self.manager).to(self.device)

    def _save(self, student: LightField, path: Path) -> None:
        if distributed.first():
            student.save(path, self.manager)

    def _need(self, stage: Stage) -> None:
        if stage not in self.run.results:
            raise UserError(
                f"{self.run.folder}: {stage} is not finished; 'nfcore {stage} {self.run.folder}' does it"
            )


@contextmanager
def _naming_a_way_on(run: Run, stage: str) -> Iterator[None]:
    """Let a training that diverges name the command that begins its stage anew with a quarter of the rate."""
    try:
        yield
    except DivergedError as error:
        rate = getattr(run.config, stage).learning_rate / 4
        folder = shlex.quote(f"{run.folder}/")
        raise NfcoreError(
            f"{error}, such as 'nfcore run {folder} --resume --set {stage}.learning_rate={rate:.2g}'"
        ) from error
