"""Evaluate: score a model's renderings on photos that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from nfcore.evaluation.metrics import Metric, psnr, ssim
from nfcore.evaluation.scores import Evaluation
from nfcore.interfaces import SceneModel, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.runtime.devices import device_of

#: The default metrics.
STANDARD: Mapping[str, Metric] = {"psnr": psnr, "ssim": ssim}


@torch.no_grad()
def evaluate(
    model: SceneModel, views: Views, reporter: Reporter | None = None, metrics: Mapping[str, Metric] = STANDARD
) -> Evaluation:
    """Return the quality of ``model`` on ``views`` by ``metrics``, view by view.

    The metrics run on the model's device: at the paper's size they cost more than a render.
    """
    reporter = reporter or Reporter()
    device = device_of(*model.parts.values())
    reporter.start(len(views), "view")
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    for index in range(len(views)):
        image = model.render(views.cameras[index]).to(device).clamp(0, 1)
        truth = views.images[index].to(device).permute(2, 0, 1)[None]
        ignored = views.ignored(index)
        for name, metric in metrics.items():
            scores[name].append(float(metric(image, truth, None if ignored is None else ignored.to(device))))
        leading, values = next(iter(scores.items()))
        reporter.step(index + 1, **{leading: sum(values) / len(values)})
    return Evaluation({name: tuple(values) for name, values in scores.items()}, views.names)
