"""Evaluate: score renderings on photos that were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nfcore.evaluation.metrics import Metric, psnr, ssim
from nfcore.evaluation.scores import Evaluation
from nfcore.interfaces import Teacher, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField
from nfcore.views.teacher_views import render_view

#: The default metrics.
STANDARD: Mapping[str, Metric] = {"psnr": psnr, "ssim": ssim}


def evaluate_student(
    student: LightField, views: Views, reporter: Reporter | None = None, metrics: Mapping[str, Metric] = STANDARD
) -> Evaluation:
    """Return the quality of ``student`` on ``views`` by ``metrics``."""
    return _evaluate(student.render, device_of(student), views, reporter or Reporter(), metrics)


def evaluate_teacher(
    teacher: Teacher, views: Views, reporter: Reporter | None = None, metrics: Mapping[str, Metric] = STANDARD
) -> Evaluation:
    """Return the quality of ``teacher`` on ``views`` by ``metrics``."""

    def render(camera: Cameras) -> Tensor:
        return render_view(teacher, camera).rgb.permute(2, 0, 1)[None]

    return _evaluate(render, device_of(teacher), views, reporter or Reporter(), metrics)


@torch.no_grad()
def _evaluate(
    render: Callable[[Cameras], Tensor],
    device: torch.device,
    views: Views,
    reporter: Reporter,
    metrics: Mapping[str, Metric],
) -> Evaluation:
    """Score view by view; the metrics run on ``device``: at the paper's size they cost more than a render."""
    reporter.start(len(views), "view")
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    for index in range(len(views)):
        image = render(views.cameras[index]).to(device).clamp(0, 1)
        truth = views.images[index].to(device).permute(2, 0, 1)[None]
        ignored = views.ignored(index)
        for name, metric in metrics.items():
            scores[name].append(float(metric(image, truth, None if ignored is None else ignored.to(device))))
        leading, values = next(iter(scores.items()))
        reporter.step(index + 1, **{leading: sum(values) / len(values)})
    return Evaluation({name: tuple(values) for name, values in scores.items()}, views.names)
