"""The smallest components that keep the contracts: a scene known in closed form, and a student that learns it.

The scene is a sky without parallax around a ball: a ray's colour follows from its direction alone, and it is
opaque where it passes the origin within one unit. So whatever the core crops, shifts or stores can be checked
against the function ``sky``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import tiny_plugin
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

import nfcore
from nfcore import Cameras, OrbitRegion, Rays, Rendering, Runner, Scene, Tolerance, Views
from nfcore.plugin.entry_points import PluginSource
from nfcore.plugin.manager import PluginManager

SCENE = Scene(near=1.0, far=5.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
REGION = OrbitRegion(target=torch.zeros(3), up=torch.tensor([0.0, 0.0, 1.0]), radius=(3.0, 4.0), height=(0.1, 0.8))


def sky(directions: Tensor) -> Tensor:
    """RGB (..., 3) in [0, 1] of directions (..., 3) of any length."""
    return (F.normalize(directions, dim=-1) + 1) / 2


def passes_ball(rays: Rays) -> Tensor:
    """1 where a ray passes the origin within one unit, else 0."""
    along = F.normalize(rays.directions, dim=-1)
    nearest = rays.origins - (rays.origins * along).sum(-1, keepdim=True) * along
    return (nearest.norm(dim=-1) < 1).float()


def cameras(poses: Tensor, height: int = 16, width: int = 16) -> Cameras:
    """Cameras with a field of view of about 53 degrees."""
    return Cameras(
        poses, torch.tensor([width, width, width / 2, height / 2]).float().repeat(len(poses), 1), height, width
    )


class Ring(nfcore.RaySource):
    """Photos of the sky and the ball from evenly spaced cameras."""

    class Options(nfcore.Options):
        train: int = Field(8, ge=2, description="Number of training views")
        test: int = Field(2, ge=1, description="Number of test views")

    options: Options
    name = "ring"
    scene = SCENE

    def views(self, split: nfcore.Split) -> Views:
        n = {"train": self.options.train, "val": 0, "test": self.options.test}[split]
        azimuth = torch.arange(n) * (2 * math.pi / max(n, 1)) + (0.4 if split == "test" else 0)
        side = self.image_size or 16
        seen = cameras(REGION.poses(azimuth, torch.full((n,), 0.5), torch.full((n,), 3.5)), side, side)
        rays = seen.rays()
        return Views(seen, sky(rays.directions), passes_ball(rays), tuple(f"{split}{i}" for i in range(n)))

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        side = self.image_size or 16
        return cameras(REGION.sample(n, generator), side, side)


class Sky(nfcore.Teacher):
    """Knows the sky but for its brightness, which it takes from the photos."""

    class Options(nfcore.Options):
        gain: float = Field(1.0, description="Factor on the fitted brightness")

    options: Options

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.brightness = nn.Parameter(torch.zeros(()))

    def fit(self, source: nfcore.RaySource, budget: nfcore.Budget, reporter: nfcore.Reporter) -> None:
        views = source.views("train")
        reporter.start(budget.steps)
        with torch.no_grad():
            self.brightness.copy_(views.images.mean() / sky(views.cameras.rays().directions).mean())
        reporter.step(budget.steps, psnr=99.0)

    def render(self, rays: Rays) -> Rendering:
        rgb = (self.options.gain * self.brightness * sky(rays.directions)).clamp(0, 1)
        opacity = passes_ball(rays)
        return Rendering(rgb, opacity, opacity * rays.origins.norm(dim=-1))


class Directions(nfcore.RayEncoding):
    """Directions of unit length; with jitter in training, from torch's default generator as the contract says."""

    class Options(nfcore.Options):
        jitter: float = Field(0.0, ge=0, description="Standard deviation of noise in training")

    options: Options
    channels = 3

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.register_buffer("prepared", torch.zeros(()))

    def prepare(self, teacher: nfcore.Teacher, scene: Scene, cameras: Cameras) -> None:
        self.prepared = teacher.brightness.detach().clone()

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        features = F.normalize(directions, dim=1)
        if self.training and self.options.jitter:
            features = features + self.options.jitter * torch.randn_like(features)
        return features


class Mixing(nfcore.Backbone):
    """Two 1x1 convolutions, with a batch norm between them on request."""

    class Options(nfcore.Options):
        width: int = Field(8, ge=1, description="Channels")
        norm: bool = Field(False, description="Batch norm after the first convolution")

    options: Options

    def __init__(self, options: nfcore.Options, in_channels: int) -> None:
        super().__init__(options, in_channels)
        self.channels = width = self.options.width
        norm = [nn.BatchNorm2d(width)] if self.options.norm else []
        self.layers = nn.Sequential(nn.Conv2d(in_channels, width, 1), *norm, nn.ReLU(), nn.Conv2d(width, width, 1))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class Shuffle(nfcore.Upsampler):
    """A 3x3 convolution, one pixel shuffle, a sigmoid."""

    class Options(nfcore.Options):
        width: int = Field(1, ge=1, description="Unused; has the backbone's name so that tests can be ambiguous")

    def __init__(self, options: nfcore.Options, in_channels: int, scale: int) -> None:
        super().__init__(options, in_channels, scale)
        self.conv = nn.Conv2d(in_channels, 3 * scale**2, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(features), self.scale).sigmoid()


class Copy(nfcore.Exporter[nfcore.LightField]):
    """Writes the student's own file and runs it with torch, off by ``error`` on request."""

    class Options(nfcore.Options):
        error: float = Field(0.0, description="Added to every colour value when the files are run")
        runs_here: bool = Field(True, description="Whether this platform can run the files")
        psnr: float = Field(60.0, description="Tolerance: least PSNR, dB")
        max_error: float = Field(1e-6, description="Tolerance: greatest difference")

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(psnr=self.options.psnr, max_error=self.options.max_error)

    def export(self, student: nfcore.LightField, folder: Path) -> nfcore.Exported:
        student.save(folder / "copy.safetensors", manager())
        file = nfcore.ExportedFile.camera_to_image("copy.safetensors", student.cameras)
        return nfcore.Exported((file,), precision="fp32", target="torch")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        if not self.options.runs_here:
            raise nfcore.VerificationUnavailable("it takes a telephone")
        student = nfcore.LightField.load(folder / "copy.safetensors", manager())

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            size = student.cameras.height, student.cameras.width
            return student.render(Cameras(poses, intrinsics, *size)) + self.options.error

        return Runner("a copy", render)


class Bake(nfcore.Exporter[nfcore.FittedTeacher]):
    """Writes the teacher's one number and draws the sky with it: what bakes a teacher, in small."""

    class Options(nfcore.Options):
        error: float = Field(0.0, description="Added to every colour value when the files are run")

    options: Options
    takes = "teacher"
    tolerance = Tolerance(psnr=80.0, max_error=1e-5)

    def export(self, model: nfcore.FittedTeacher, folder: Path, /) -> nfcore.Exported:
        size = model.cameras.height, model.cameras.width
        brightness = float(model.teacher.options.gain * model.teacher.brightness.detach())
        (folder / "sky.json").write_text(json.dumps({"brightness": brightness, "size": size}))
        file = nfcore.ExportedFile.camera_to_image("sky.json", model.cameras)
        return nfcore.Exported((file,), precision="fp32", target="any painter")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        baked = json.loads((folder / "sky.json").read_text())

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            rays = Cameras(poses, intrinsics, *baked["size"]).rays()
            return (baked["brightness"] * sky(rays.directions)).permute(0, 3, 1, 2) + self.options.error

        return Runner("a painter", render)


def copier(**options: object) -> Copy:
    """The exporter ``copy`` with these options."""
    return Copy(Copy.Options(**options))


class Square(nfcore.Loss):
    """Mean squared error."""

    def forward(
        self, image: Tensor, target: Tensor, opacity: Tensor | None = None, depth: Tensor | None = None
    ) -> Tensor:
        return F.mse_loss(image, target)


class OpaqueSquare(nfcore.Loss):
    """Squared error of opaque pixels at a known depth; keeps what it was given."""

    uses_geometry = True

    def forward(
        self, image: Tensor, target: Tensor, opacity: Tensor | None = None, depth: Tensor | None = None
    ) -> Tensor:
        self.given = target, opacity, depth
        return (opacity * (image - target).square()).mean()


SQUARE = Square(Square.Options())


def source(plugin: object, distribution: str = "tiny-dist", name: str = "tiny") -> PluginSource:
    """A plugin source that loads ``plugin``, or raises it if it is an error."""

    def load() -> object:
        if isinstance(plugin, BaseException):
            raise plugin
        return plugin

    return PluginSource(distribution, "1.0", name, load)


def manager() -> PluginManager:
    """A manager that knows the tiny components and nothing else."""
    return PluginManager([source(tiny_plugin)])


def student(
    seed: int = 0, side: int = 16, scale: int = 4, encoding: dict | None = None, **backbone: object
) -> nfcore.LightField:
    """An untrained student with reference cameras on the ring."""
    torch.manual_seed(seed)
    directions = Directions(Directions.Options(**(encoding or {})), SCENE)
    mixing = Mixing(Mixing.Options(**backbone), directions.channels)
    shuffle = Shuffle(Shuffle.Options(), mixing.channels, scale)
    seen = Ring(Ring.Options(), side).views("test").cameras
    return nfcore.LightField(directions, mixing, shuffle, scene=SCENE, cameras=seen)


def fitted_teacher(**options: object) -> Sky:
    """A teacher that shows the sky as the photos do."""
    teacher = Sky(Sky.Options(**options), SCENE)
    teacher.fit(Ring(Ring.Options()), nfcore.Budget(1), nfcore.Reporter())
    return teacher.eval()


def fitted_model(**options: object) -> nfcore.FittedTeacher:
    """That teacher with the cameras of the test photos."""
    return nfcore.FittedTeacher(fitted_teacher(**options), Ring(Ring.Options()).views("test").cameras)


class Notes(nfcore.Reporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text):
        self.notes.append(text)
