"""Evaluate: how close renderings come to photos that nothing was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.cameras import Cameras
from nfcore.interfaces import Teacher, Views
from nfcore.light_field import LightField
from nfcore.metrics import psnr, ssim
from nfcore.pipeline.views import render_view
from nfcore.reporting import Reporter


@dataclass(frozen=True)
class Evaluation:
    """Quality on a set of views.

    Args:
        psnr: of each view, dB.
        ssim: of each view.
        names: of the views.

    """

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]
    names: tuple[str, ...]

    @property
    def mean(self) -> dict[str, float]:
        """The means over all views, by metric."""
        return {metric: sum(values) / len(values) for metric, values in self._values().items()}

    def _values(self) -> dict[str, tuple[float, ...]]:
        return {"psnr": self.psnr, "ssim": self.ssim}


def evaluate_student(student: LightField, views: Views, reporter: Reporter | None = None) -> Evaluation:
    """Return the quality of ``student`` on ``views``."""
    return _evaluate(lambda camera: student.render(camera), views, reporter or Reporter())


def evaluate_teacher(teacher: Teacher, views: Views, reporter: Reporter | None = None) -> Evaluation:
    """Return the quality of ``teacher`` on ``views``."""

    def render(camera: Cameras) -> Tensor:
        return render_view(teacher, camera)[0].permute(2, 0, 1)[None].cpu()

    return _evaluate(render, views, reporter or Reporter())


@torch.no_grad()
def _evaluate(render: Callable[[Cameras], Tensor], views: Views, reporter: Reporter) -> Evaluation:
    reporter.start(len(views), "view")
    scores: dict[str, list[float]] = {"psnr": [], "ssim": []}
    for index in range(len(views)):
        image = render(views.cameras[index]).clamp(0, 1)
        truth = views.images[index].permute(2, 0, 1)[None]
        scores["psnr"].append(float(psnr(image, truth)))
        scores["ssim"].append(float(ssim(image, truth)))
        reporter.step(index + 1, psnr=sum(scores["psnr"]) / (index + 1))
    return Evaluation(tuple(scores["psnr"]), tuple(scores["ssim"]), views.names)
