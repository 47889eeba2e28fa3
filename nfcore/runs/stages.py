"""The stages of a run, one function each: reads the run's artifacts and writes new ones.

Each returns its figures with the keys of ``summary.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from nfcore import pipeline
from nfcore.config.schema import ALL_VIEWS, ExportChoice, PipelineConfig
from nfcore.config.stages import Stage
from nfcore.errors import PluginError
from nfcore.evaluation.metrics import available
from nfcore.evaluation.per_view_scores import by_view, write_view_scores
from nfcore.evaluation.publications import read_tables
from nfcore.interfaces import SceneModel, Teacher
from nfcore.interfaces.reporting import Reporter
from nfcore.io.images import save_png
from nfcore.pipeline.losses import build_loss
from nfcore.pipeline.render import comparison, save_orbit
from nfcore.runs.artifacts import MADE_BY, Artifacts
from nfcore.runs.untrained import reference_cameras
from nfcore.runtime import distributed
from nfcore.student.complexity import macs_and_look_ups, parameters

Figures = dict[str, Any]
_LONGEST_TITLE = 80


@dataclass(frozen=True)
class Job:
    """A unit of work that a run executes once: a stage, or one of its exports.

    Args:
        name: a stage's name, or ``export.LABEL``.
        work: executes it and returns its figures.
        needs: the stage that must be finished before, if any.
        shared: whether all processes execute it together; else only the first does.
        optional: whether nothing later depends on it, so that a failure does not stop the run.

    """

    name: str
    work: Callable[[Artifacts, Reporter], Figures]
    needs: Callable[[Artifacts], Stage | None] = lambda artifacts: None
    shared: bool = False
    optional: bool = False


def jobs_of(stage: Stage, config: PipelineConfig) -> list[Job]:
    """Return the jobs of ``stage``: one, or one for each export."""
    if stage == "export":
        return [
            Job(f"export.{label}", partial(export, label), needs=partial(_needed_by_export, label), optional=True)
            for label in config.export
        ]
    return [_JOBS[stage]]


def teach(artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Fit the teacher to the photos."""
    config, source = artifacts.config, artifacts.source
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        teacher: Teacher = artifacts.components.build(
            "teacher", config.teacher.name, config.teacher.options, source.scene
        )
    pipeline.teach(teacher.to(artifacts.device), source, config.teach.budget(config.seed), reporter)
    cameras = reference_cameras(source)
    pipeline.save_teacher(teacher, artifacts.run.teacher_file, artifacts.components, cameras)
    return {
        "scene": source.name,
        "image_size": max(cameras.height, cameras.width),
        "teacher.parameters": parameters(teacher),
    }


def distill(artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Train a new student on the teacher's pseudo views."""
    config = artifacts.config.student_training().distill
    student = artifacts.new_student().to(artifacts.device)
    pipeline.distill(
        student,
        artifacts.teacher,
        artifacts.source,
        config,
        loss=build_loss(config, artifacts.components),
        seed=artifacts.config.seed,
        reporter=reporter,
        scratch=artifacts.run.folder / "state",
    )
    if distributed.first():
        student.save(artifacts.run.distilled_file, artifacts.components)
    macs, reads = macs_and_look_ups(student)
    return {
        "student.parameters": parameters(student),
        "student.macs": macs,
        "student.look_ups": reads.rows,
        "student.look_up_bytes": reads.bytes,
    }


def finetune(artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Train the distilled student on the photos."""
    config, student = artifacts.config.student_training().finetune, artifacts.distilled
    verdict = pipeline.finetune(
        student,
        artifacts.source,
        config,
        teacher=artifacts.teacher,
        loss=build_loss(config, artifacts.components),
        seed=artifacts.config.seed,
        reporter=reporter,
    )
    if distributed.first():
        student.save(artifacts.run.student_file, artifacts.components)
    return {"student.finetuning_kept": verdict.kept, "student.finetuning_best_step": verdict.step}


def evaluate(artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Score the teacher, and the student before and after fine-tuning, on the test views of the run's protocol."""
    name = artifacts.config.protocol
    views = artifacts.source.views("test")
    indices = range(len(views))
    if name != ALL_VIEWS:
        protocol = read_tables(artifacts.components.publication(name).path).protocol
        indices = protocol.indices(len(views))
        views = views.chosen(indices)
    metrics = available(reporter.note)
    models: dict[str, SceneModel] = {"teacher.test": artifacts.fitted_teacher}
    if artifacts.renderer == "student":
        models |= {"student.distilled": artifacts.distilled, "student.test": artifacts.student}
    scores = {scored: pipeline.evaluate(model, views, reporter, metrics) for scored, model in models.items()}
    write_view_scores(artifacts.run.view_scores_file, by_view(scores, indices))
    figures: Figures = {"protocol": name, "test_views": len(views)}
    return figures | {
        f"{scored}.{metric}": value for scored, quality in scores.items() for metric, value in quality.mean.items()
    }


def render(artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Write a comparison at a test view and an orbit video, of the student if there is one."""
    views, previews = artifacts.source.views("test"), artifacts.run.previews_folder
    save_png(previews / "comparison.png", comparison(reversed(artifacts.models), views, index=len(views) // 8))
    save_orbit(artifacts.shown, previews / "orbit.mp4", reporter=reporter)
    return {}


def export(label: str, artifacts: Artifacts, reporter: Reporter) -> Figures:
    """Export the student, or the teacher, once and compare the files with torch and the photos."""
    choice = artifacts.config.export[label]
    exporter = artifacts.components.build("exporter", choice.name, _titled(choice, artifacts))
    reference = artifacts.export_reference(exporter.takes)
    folder = artifacts.run.exports_folder / label
    manifest = pipeline.export(reference, exporter, folder, reporter, required_psnr=choice.required_psnr)
    return {f"export.{label}.{name}": value for name, value in manifest.figures().items()}


def _titled(choice: ExportChoice, artifacts: Artifacts) -> Mapping[str, Any]:
    """Return the export's options, with the scene's name as its title if it takes one and has none."""
    taken = artifacts.components.load("exporter", choice.name).Options.model_fields
    name = str(artifacts.run.finished.get("teach", {}).get("scene", ""))[:_LONGEST_TITLE]
    return {"title": name, **choice.options} if name and "title" in taken else choice.options


def _needed_by_export(label: str, artifacts: Artifacts) -> Stage | None:
    try:
        return MADE_BY[artifacts.components.load("exporter", artifacts.config.export[label].name).takes]
    except PluginError:  # a missing exporter fails when it is built; the others still run
        return None


_JOBS: dict[Stage, Job] = {
    "teach": Job("teach", teach),
    "distill": Job("distill", distill, needs=lambda artifacts: "teach", shared=True),
    "finetune": Job("finetune", finetune, needs=lambda artifacts: "distill", shared=True),
    "evaluate": Job("evaluate", evaluate, needs=lambda artifacts: MADE_BY[artifacts.renderer]),
    "render": Job("render", render, needs=lambda artifacts: MADE_BY[artifacts.renderer]),
}
