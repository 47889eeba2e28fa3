"""Photos of the test views next to images of teacher and student, with error maps."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nfcore import LightField, Teacher, Views
from nfcore.evaluation import error_map, psnr
from nfcore.io import to_bytes
from nfcore.views import render_view


@dataclass(frozen=True)
class ComparedView:
    """One test view.

    Args:
        name: the photo's name.
        pictures: PNG files by content: ``photo``, and of student and teacher, as far as there are any,
            ``student``, ``student-error``, ``teacher``, ``teacher-error``.
        psnr: against the photo in dB, by ``student`` and ``teacher``.

    """

    name: str
    pictures: dict[str, bytes]
    psnr: dict[str, float]


def compare_views(
    student: LightField | None, teacher: Teacher | None, views: Views, count: int
) -> Iterator[ComparedView]:
    """Yield ``count`` of the ``views``, evenly spaced, as they are rendered."""
    count = min(count, len(views))
    for index in (len(views) * k // count for k in range(count)):
        camera, photo, ignored = views.cameras[index], views.images[index], views.ignored(index)
        shown = {} if student is None else {"student": student.render(camera)[0].permute(1, 2, 0)}
        if teacher is not None:
            with torch.no_grad():
                shown["teacher"] = render_view(teacher, camera).rgb.cpu()
        pictures = {"photo": png(to_bytes(photo))}
        scores = {}
        for name, image in shown.items():
            pictures[name] = png(to_bytes(image))
            pictures[f"{name}-error"] = png(error_map(image, photo, ignored))
            scores[name] = float(psnr(_batch(image), _batch(photo), ignored))
        yield ComparedView(views.names[index], pictures, scores)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return (h, w, 3) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _batch(image: Tensor) -> Tensor:
    return image.clamp(0, 1).permute(2, 0, 1)[None]
