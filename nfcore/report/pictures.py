"""The pictures in the report: a few test views as photo, by teacher and by student, with error maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nfcore.evaluation.error_maps import error_map
from nfcore.evaluation.metrics import psnr
from nfcore.evaluation.per_view_scores import ViewScore
from nfcore.interfaces import SceneModel, Views
from nfcore.io.images import to_bytes
from nfcore.report.figures import worst_first

# Pictures up to this side are lossless; larger ones are compressed, so that the report can be mailed.
_LOSSLESS = 400
_MOST_VIDEO_BYTES = 1_500_000


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        shows: ``photo``, ``teacher``, ``student``, ``teacher-error`` or ``student-error``.
        label: the same, for readers.
        source: the picture as a ``data:`` URI.

    """

    shows: str
    label: str
    source: str


@dataclass(frozen=True)
class ShownView:
    """One test view.

    Args:
        title: why it is shown, such as ``Worst view``.
        name: of the photo.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        pictures: the photo first.
        psnr: against the photo in dB, by label.

    """

    title: str
    name: str
    width: int
    height: int
    pictures: tuple[Picture, ...]
    psnr: Mapping[str, float]


def chosen_views(scores: Sequence[ViewScore], count: int) -> list[tuple[str, int]]:
    """Return the test views that are shown: a title that says why, and the index of each.

    Args:
        scores: of the scored views; without any, views are spread evenly over the test split.
        count: how many views the test split has.

    """
    ranked = [row.index for row in worst_first(scores) if row.index < count]
    if not ranked:
        return [("Test view", index) for index in sorted({count * k // 4 for k in range(4)})]
    places = {
        0: "Worst view",
        1: "Second worst view",
        len(ranked) // 2: "Median view",
        len(ranked) - 1: "Best view",
    }
    return [(places[place], ranked[place]) for place in sorted(places) if place < len(ranked)]


@torch.no_grad()
def shown_views(
    models: Sequence[SceneModel], views: Views, chosen: Sequence[tuple[str, int]]
) -> Iterator[ShownView]:
    """Yield the ``chosen`` test views with their pictures: the photo, the models' images and their errors."""
    for title, index in chosen:
        camera, photo, ignored = views.cameras[index], views.images[index], views.ignored(index)
        rendered: dict[str, Tensor] = {model.kind: model.render(camera)[0].permute(1, 2, 0) for model in models}
        pictures = [Picture("photo", "Photo", data_uri(to_bytes(photo)))]
        for who, image in rendered.items():
            pictures.append(Picture(who, who.capitalize(), data_uri(to_bytes(image))))
        for who, image in rendered.items():
            label = f"{who.capitalize()}'s error"
            pictures.append(Picture(f"{who}-error", label, data_uri(error_map(image, photo, ignored))))
        scores = {who.capitalize(): _psnr(image, photo, ignored) for who, image in rendered.items()}
        height, width = photo.shape[:2]
        yield ShownView(title, views.names[index], width, height, tuple(pictures), scores)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture (h, w, 3) as a ``data:`` URI (WebP)."""
    buffer = io.BytesIO()
    exact = max(pixels.shape[:2]) <= _LOSSLESS
    Image.fromarray(pixels).save(buffer, "webp", lossless=exact, quality=75 if exact else 90)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def video_uri(path: Path) -> str | None:
    """Return a video as a ``data:`` URI; None if there is none, or it is too large to be mailed."""
    if not path.is_file() or path.stat().st_size > _MOST_VIDEO_BYTES:
        return None
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _psnr(image: Tensor, photo: Tensor, ignored: Tensor | None) -> float:
    first, second = (picture.clamp(0, 1).permute(2, 0, 1)[None] for picture in (image, photo))
    return float(psnr(first, second, ignored))
