"""A free camera through the model that a run trains: this process renders what the browser's camera sees."""

from __future__ import annotations

import io
import threading

import torch
from PIL import Image

from nfcore import Cameras, LightField, SceneModel
from nfcore.io import to_bytes
from nfcore.runs import Artifacts, NewestModel
from nfcore.viewer import viewer_card, viewer_page
from nfcore_web.page import text
from nfcore_web.server import Resource

#: What images are asked for by: this, then a level and twelve numbers, the pose row by row.
IMAGES = "/live/"
# Longer side in pixels of the largest image: a teacher computes each ray on the CPU that trains.
_MOST_PIXELS = 256
_LEVELS = 3
_LARGEST_COORDINATE = 1e9


class Live:
    """The page of a run in training, and its images.

    Args:
        run: the run's artifacts.
        title: of the page.

    """

    def __init__(self, run: Artifacts, title: str) -> None:
        self.newest = NewestModel(run)
        self.title = title
        self._lock = threading.Lock()  # one image at a time: they would only slow each other

    def page(self) -> Resource | None:
        """Return the page, or None while there is no model."""
        with self._lock:
            model = self.newest.load()
        if model is None:
            return None
        card = {"format": 1, **viewer_card(model, self.title, _sizes(model))}
        page = viewer_page(
            card,
            script=text("live.js"),
            modules={"draw": text("draw.js")},
            about=f"The image is computed by nfcore view, from the {self.newest.name}, and again after the next.",
            connect_sources=("'self'",),
        )
        return Resource.viewer(page.encode())

    def image(self, path: str) -> Resource | None:
        """Return the image that ``path`` asks for, or None if it is none such."""
        try:
            level, *numbers = path.removeprefix(IMAGES).split("/")
            pose = torch.tensor([float(number) for number in numbers]).view(1, 3, 4)
            index = range(_LEVELS)[int(level)]
        except (ValueError, RuntimeError, IndexError):
            return None
        if not bool((pose.abs() < _LARGEST_COORDINATE).all()):
            return None
        with self._lock:
            model = self.newest.load()
            if model is None:
                return None
            sizes = _sizes(model)
            size = sizes[min(index, len(sizes) - 1)]
            image = model.render(Cameras(pose, size.intrinsics.mean(0, keepdim=True), size.height, size.width))[0]
        data = io.BytesIO()
        Image.fromarray(to_bytes(image.permute(1, 2, 0))).save(data, "png", compress_level=1)
        return Resource.png(data.getvalue())


def _sizes(model: SceneModel) -> list[Cameras]:
    """Return the cameras of each size, largest first: a student has its own, a teacher any."""
    cameras = model.cameras.to("cpu")
    if isinstance(model, LightField):
        return [cameras]
    scale = min(1.0, _MOST_PIXELS / max(cameras.height, cameras.width))
    shares = [scale / 2**level for level in range(_LEVELS)]
    return [
        cameras.resized(max(1, round(cameras.height * share)), max(1, round(cameras.width * share)))
        for share in shares
    ]
