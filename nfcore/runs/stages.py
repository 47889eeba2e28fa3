"""The stages of a run in order: what each needs comes from the run's folder, what it makes goes there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import torch

from nfcore.cameras import grid_shape
from nfcore.complexity import macs, parameters
from nfcore.console import Console
from nfcore.devices import choose_device
from nfcore.errors import UserError
from nfcore.fence import reason
from nfcore.images import save_png
from nfcore.interfaces import RaySource, Teacher
from nfcore.light_field import LightField, PartCard, StudentCard, build_student
from nfcore.manager import PluginManager
from nfcore.pipeline.config import Choice, PipelineConfig
from nfcore.pipeline.distill import distill
from nfcore.pipeline.evaluate import evaluate_student, evaluate_teacher
from nfcore.pipeline.export import evenly_spaced, export
from nfcore.pipeline.finetune import finetune
from nfcore.pipeline.render import comparison, save_orbit
from nfcore.pipeline.teach import load_teacher, save_teacher, teach
from nfcore.runs.folder import Run, Stage
from nfcore.runs.hooks import RunHooks
from nfcore.runs.reporter import StageReporter

_REFERENCE_CAMERAS = 25


def open_scene(config: PipelineConfig, manager: PluginManager) -> RaySource:
    """Return the ray source that ``config`` names, with its photos read and its size fitting the student.

    Raises:
        UserError: the data set is missing or wrong, or the student's scale does not divide the photos' size.

    """
    choice = config.scene
    source: RaySource = manager.build("ray_source", choice.name, choice.options, config.image_size)
    for split in ("train", "test"):
        cameras = source.views(split).cameras
        grid_shape(cameras.height, cameras.width, config.student.scale)
    return source


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

    def do(self, stage: Stage) -> None:
        """Do ``stage`` unless it is finished.

        Raises:
            UserError: an earlier stage that it needs is not finished.

        """
        if stage == "export":
            for label, choice in self.config.export.items():
                self._once(f"export.{label}", partial(self.export, label, choice))
        else:
            self._once(stage, getattr(self, stage))
        self.run.write_summary()

    def _once(self, name: str, work: Callable[[StageReporter], dict[str, Any]]) -> None:
        """Do ``work`` and keep its figures and its time, unless that is done; plugins may watch."""
        if name in self.run.results:
            return
        reporter = StageReporter(self.run, name, self.console, self.hooks)
        self.hooks.call("nfcore_stage_started", name)
        try:
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

    @cached_property
    def source(self) -> RaySource:
        """The scene's photos, read when they are first needed."""
        return open_scene(self.config, self.manager)

    @cached_property
    def fitted_teacher(self) -> Teacher:
        """The run's teacher."""
        self._need("teach")
        return load_teacher(self.run.teacher, self.manager).to(self.device)

    def teach(self, reporter: StageReporter) -> dict[str, Any]:
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

    def distill(self, reporter: StageReporter) -> dict[str, Any]:
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
        student.save(self.run.distilled, self.manager)
        return {"student.parameters": parameters(student), "student.macs": macs(student)}

    def new_student(self) -> LightField:
        """Return the untrained student that the configuration describes."""
        config = self.config.student

        def part(choice: Choice) -> PartCard:
            return PartCard(name=choice.name, options=choice.options)

        cameras = evenly_spaced(self.source.views("test").cameras, _REFERENCE_CAMERAS)
        card = StudentCard(
            encoding=part(config.encoding),
            backbone=part(config.backbone),
            upsampler=part(config.upsampler),
            scale=config.scale,
            scene=self.source.scene,
            height=cameras.height,
            width=cameras.width,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return build_student(card, cameras, self.manager)

    def finetune(self, reporter: StageReporter) -> dict[str, Any]:
        """Train the distilled student on the photos."""
        self._need("distill")
        student = self._load(self.run.distilled)
        config, seed = self.config.finetune, self.config.seed
        verdict = finetune(student, self.source, config, seed=seed, reporter=reporter)
        student.save(self.run.student, self.manager)
        return {"student.finetuning_kept": verdict.kept, "student.finetuning_best_step": verdict.step}

    def evaluate(self, reporter: StageReporter) -> dict[str, Any]:
        """Score teacher and student on the test views, before and after fine-tuning."""
        self._need("finetune")
        views = self.source.views("test")
        teacher = evaluate_teacher(self.fitted_teacher, views, reporter).mean
        distilled = evaluate_student(self._load(self.run.distilled), views, reporter).mean
        student = evaluate_student(self._load(self.run.student), views, reporter).mean
        figures = {f"teacher.test.{metric}": value for metric, value in teacher.items()}
        figures |= {f"student.distilled.{metric}": value for metric, value in distilled.items()}
        return figures | {f"student.test.{metric}": value for metric, value in student.items()}

    def render(self, reporter: StageReporter) -> dict[str, Any]:
        """Write a comparison at a test view and an orbit video."""
        self._need("finetune")
        student = self._load(self.run.student)
        views = self.source.views("test")
        previews = self.run.folder / "previews"
        save_png(
            previews / "comparison.png", comparison(student, self.fitted_teacher, views, index=len(views) // 8)
        )
        save_orbit(student, previews / "orbit.mp4", reporter=reporter)
        return {}

    def export(self, label: str, choice: Choice, reporter: StageReporter) -> dict[str, Any]:
        """Export the student once and compare the files with torch."""
        self._need("finetune")
        exporter = self.manager.build("exporter", choice.name, choice.options)
        student = LightField.load(self.run.student, self.manager)
        report = export(student, exporter, self.run.exports / label, reporter)
        return {f"export.{label}.{name}": value for name, value in report.figures().items()}

    def _load(self, path: Path) -> LightField:
        return LightField.load(path, self.manager).to(self.device)

    def _need(self, stage: Stage) -> None:
        if stage not in self.run.results:
            raise UserError(
                f"{self.run.folder}: {stage} is not finished; 'nfcore {stage} {self.run.folder}' does it"
            )
