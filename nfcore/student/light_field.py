"""The student: encoding, backbone and upsampler as one torch module, in one self-contained file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nfcore.errors import NfcoreError, UserError
from nfcore.interfaces import Backbone, RayEncoding, Upsampler
from nfcore.interfaces.boundaries import channels_of, is_image
from nfcore.interfaces.scene_model import Takes
from nfcore.io.images import to_bytes
from nfcore.io.modules import module_with_weights
from nfcore.plugin.components import Kind
from nfcore.plugin.identity import named
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.runtime.devices import device_of
from nfcore.runtime.memory import require_memory
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, grid_shape, ray_grid
from nfcore.student.file import PartCard, SavedStudent, StudentCard, read_student, write_student
from nfcore.student.part_checks import first_fault, has_diverged


class LightField(nn.Module):
    """A neural light field: renders a camera to an image in one network pass for all its rays.

    Args:
        encoding: rays to features.
        backbone: features to features, on the ray grid.
        upsampler: features to RGB, ``upsampler.scale`` pixels per ray.
        scene: the bounds of the scene.
        cameras: reference cameras, at poses that the student knows. They define the image size, exports are
            verified at them, and viewers start there. Saved with the student.

    Raises:
        UserError: the parts don't fit together, or the image size does not divide into blocks.

    >>> student = nfcore.LightField.load("runs/quickstart/student.safetensors")  # doctest: +SKIP
    >>> images = student.render(student.cameras[:2])  # doctest: +SKIP

    """

    def __init__(
        self,
        encoding: RayEncoding,
        backbone: Backbone,
        upsampler: Upsampler,
        *,
        scene: Scene,
        cameras: Cameras,
    ) -> None:
        super().__init__()
        for before, after in ((encoding, backbone), (backbone, upsampler)):
            if channels_of(before) != after.in_channels:
                raise UserError(
                    f"{named(before)} returns {before.channels} channels, {named(after)} takes {after.in_channels}"
                )
        grid_shape(cameras.height, cameras.width, upsampler.scale)
        self.encoding = encoding
        self.backbone = backbone
        self.upsampler = upsampler
        self.scene = scene
        self.cameras = cameras

    @property
    def kind(self) -> Takes:
        """It is a student."""
        return "student"

    @property
    def scale(self) -> int:
        """Pixels per ray along each side."""
        return self.upsampler.scale

    @property
    def parts(self) -> Mapping[Kind, nn.Module]:
        """Encoding, backbone and upsampler, by their kinds."""
        return {"encoding": self.encoding, "backbone": self.backbone, "upsampler": self.upsampler}

    @property
    def grid(self) -> tuple[int, int]:
        """The ray grid (h, w) for the student's own image size."""
        return grid_shape(self.cameras.height, self.cameras.width, self.scale)

    def forward(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) in [0, 1] seen by n cameras of any size that the scale divides.

        Rays and encoding are float32; the network follows autocast where that is on.
        """
        grid_shape(cameras.height, cameras.width, self.scale)
        device = cameras.poses.device.type
        with torch.autocast(device if torch.amp.is_autocast_available(device) else "cpu", enabled=False):
            rays = ray_grid(cameras.poses, cameras.intrinsics, cameras.height, cameras.width, self.scale)
            features = self.encoding(*rays)
        image: Tensor = self.upsampler(self.backbone(features))
        return image

    @torch.no_grad()
    def render(self, cameras: Cameras, batch: int = 4) -> Tensor:
        """Return images (n, 3, height, width) float32 on the CPU, in eval mode, ``batch`` views at a time.

        Raises:
            UserError: there is less memory than an image takes.
            NfcoreError: an image is not finite or not in [0, 1]; names the part that caused it.

        """
        training = self.training
        self.eval()
        device = device_of(self)
        if device.type == "cpu":  # on a GPU, memory that torch caches is not reported as free
            self._require_memory(cameras.height, cameras.width, device)
        try:
            return torch.cat(
                [self._images(cameras[i : i + batch].to(device)) for i in range(0, len(cameras), batch)]
            )
        finally:
            self.train(training)

    def _require_memory(self, height: int, width: int, device: torch.device) -> None:
        """Refuse an image for which not even what the parts take and return fits into memory."""
        rays = height * width // self.scale**2
        numbers = rays * (channels_of(self.encoding) + channels_of(self.backbone)) + 6 * height * width
        require_memory(4 * numbers, device, f"an image of {width}x{height} pixels", "render it smaller")

    def _images(self, cameras: Cameras) -> Tensor:
        images: Tensor = self(cameras).float().cpu()
        if not is_image(images):
            fault = first_fault(self, self.parts, cameras)
            if fault is not None and not has_diverged(self.parts, fault):
                raise fault
            raise NfcoreError("the student's image is not finite: its training has diverged; train it again")
        return images

    def picture(self, camera: Cameras) -> NDArray[np.uint8]:
        """Return the image of one camera as a numpy array, (height, width, 3) uint8 RGB.

        >>> student = LightField.load("runs/quickstart/student.safetensors")  # doctest: +SKIP
        >>> Image.fromarray(student.picture(student.cameras[0])).save("view.png")  # doctest: +SKIP
        """
        if len(camera) != 1:
            raise UserError(
                f"picture takes one camera, not {len(camera)}: pass cameras[0], or call render for all of them"
            )
        return to_bytes(self.render(camera)[0].permute(1, 2, 0))

    def save(self, path: str | Path, components: PluginManager | None = None) -> None:
        """Write the student to one safetensors file, atomically: weights, names, options, cameras, bounds.

        Raises:
            PluginError: no installed plugin offers the class of a part.

        """
        manager = components or plugins()

        def part(kind: Kind, module: RayEncoding | Backbone | Upsampler) -> PartCard:
            return PartCard(name=manager.name_of(kind, module), options=module.options.model_dump(mode="json"))

        card = StudentCard(
            encoding=part("encoding", self.encoding),
            backbone=part("backbone", self.backbone),
            upsampler=part("upsampler", self.upsampler),
            scale=self.scale,
            scene=self.scene,
            height=self.cameras.height,
            width=self.cameras.width,
        )
        write_student(Path(path), SavedStudent(card, self.cameras, self.state_dict()))

    @classmethod
    def load(cls, path: str | Path, components: PluginManager | None = None) -> LightField:
        """Return the student in ``path``, in eval mode. Needs its plugins, but no data set and no teacher.

        Raises:
            UserError: no such file, damaged, or not a student.
            PluginError: one of its components is not installed.

        """
        saved = read_student(Path(path))

        def build() -> LightField:
            return build_student(saved.card, saved.cameras, components or plugins())

        return module_with_weights(Path(path), build, saved.weights, "its components")


def build_student(card: StudentCard, cameras: Cameras, components: PluginManager) -> LightField:
    """Return a new, untrained student with the components that ``card`` names."""
    encoding = components.build("encoding", card.encoding.name, card.encoding.options, card.scene)
    backbone = components.build("backbone", card.backbone.name, card.backbone.options, channels_of(encoding))
    upsampler = components.build(
        "upsampler", card.upsampler.name, card.upsampler.options, channels_of(backbone), card.scale
    )
    return LightField(encoding, backbone, upsampler, scene=card.scene, cameras=cameras)
