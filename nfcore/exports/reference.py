"""A model to export: its file and scene, and the images that its exports are compared with."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from nfcore.errors import PluginError
from nfcore.evaluation.metrics import psnr
from nfcore.exports.manifest import ModelRecord, sha256
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.orbits import tour
from nfcore.interfaces import SceneModel, Views
from nfcore.interfaces.exporter import Takes
from nfcore.kernels import without_kernels
from nfcore.plugin.components import Kind
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.scene.cameras import Cameras
from nfcore.student.complexity import macs, parameters
from nfcore.student.light_field import LightField

#: Number of poses at which an export is compared with torch.
POSES = 8


class Reference:
    """A model to export, with test poses. Torch's images there are rendered once for all exports.

    The test poses are those of the photos where there are any, else the model's reference cameras, spread
    evenly; where these are fewer than ``poses``, poses between them are added.

    Args:
        model: the student or the teacher to export.
        file: the file that it was loaded from.
        scene: the name of its scene.
        photos: photos of its image size to compare with, or the reason why there are none.
        components: the manager that knows its parts by name.
        poses: number of poses to compare at.

    """

    def __init__(
        self,
        model: SceneModel,
        *,
        file: Path | None = None,
        scene: str | None = None,
        photos: Views | str = "there are none here",
        components: PluginManager | None = None,
        poses: int = POSES,
    ) -> None:
        self.model = model
        self.file = file
        self.scene = scene
        self.components = components or plugins()
        self.photos = None if isinstance(photos, str) else photos.chosen(_spread(len(photos), poses))
        self.no_photos = photos if isinstance(photos, str) else None
        seen = evenly_spaced(model.cameras, poses) if self.photos is None else self.photos.cameras
        self.cameras = _with_more(seen, model, poses)

    @property
    def kind(self) -> Takes:
        """Whether the model is a student or a teacher."""
        return self.model.kind

    @functools.cached_property
    def images(self) -> list[Tensor]:
        """Torch's images at the test poses: (1, 3, h, w) float32 each, on the CPU.

        A student's files compute what torch computes, operation by operation, so torch itself renders it here.
        Kernels round in another order, and points between two surfaces amplify that to 3e-4 on lego at 200x200:
        as far from double precision as torch is, but more than a correct graph differs from torch by (2e-5).
        """
        with without_kernels() if self.kind == "student" else nullcontext():
            return [self.model.render(camera) for camera in self.cameras]

    def photo(self, index: int) -> Tensor:
        """Return one of the photos, (1, 3, h, w)."""
        assert self.photos is not None
        return self.photos.images[index].permute(2, 0, 1)[None]

    def ignored(self, index: int) -> Tensor | None:
        """Return which pixels of a photo to ignore, (1, h, w) bool; None where there are no masks."""
        assert self.photos is not None
        return self.photos.ignored(index)

    @functools.cached_property
    def torch_psnr(self) -> list[float]:
        """PSNR of torch's image of each photo, dB; empty where there are no photos."""
        count = 0 if self.photos is None else len(self.photos)
        return [float(psnr(self.images[i].clamp(0, 1), self.photo(i), self.ignored(i))) for i in range(count)]

    @functools.cached_property
    def record(self) -> ModelRecord:
        """The model's record in manifests."""
        model = self.model
        return ModelRecord(
            kind=self.kind,
            file=None if self.file is None else self.file.name,
            sha256=None if self.file is None else sha256(self.file),
            scene=self.scene,
            components={kind: component_name(self.components, kind, part) for kind, part in model.parts.items()},
            parameters=sum(parameters(part) for part in model.parts.values()),
            macs=macs(model) if isinstance(model, LightField) else None,
        )


def component_name(components: PluginManager, kind: Kind, component: object) -> str:
    """Return ``distribution/name`` of a component, or its class's module and name if no plugin offers it."""
    try:
        return components.name_of(kind, component)
    except PluginError:
        return f"{type(component).__module__}:{type(component).__qualname__}"


def evenly_spaced(cameras: Cameras, count: int) -> Cameras:
    """Return at most ``count`` of the cameras, spread evenly over their order."""
    return cameras[_spread(len(cameras), count)]


def _spread(available: int, count: int) -> list[int]:
    """Return at most ``count`` of ``available`` indices, evenly spaced."""
    return [i * available // count for i in range(count)] if available > count else list(range(available))


def _with_more(cameras: Cameras, model: SceneModel, poses: int) -> Cameras:
    """Return ``cameras`` with poses interpolated between the model's reference cameras added, up to ``poses``."""
    missing = poses - len(cameras)
    if missing <= 0:
        return cameras
    # Every other pose of an odd loop: a loop that goes there and back repeats no position.
    length = 2 * missing + 1
    known = model.cameras
    if model.scene.forward_facing:
        between = ForwardRegion.around(known).loop(length)[1::2]
    else:
        between = tour(known, length)[1::2]
    return Cameras(
        torch.cat([cameras.poses, between]),
        torch.cat([cameras.intrinsics, known.intrinsics[:1].expand(missing, -1)]),
        cameras.height,
        cameras.width,
    )
