"""A small component of each kind that keeps its contract: what the wrong ones spoil in one place."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import nfcore
from nfcore import Budget, Cameras, Exported, ExportedFile, Rays, Rendering, Reporter, Runner, Scene, Tolerance
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.testing.sphere import BACKGROUND, RADIUS, ShadedSphere, sphere_rendering
from nfcore.testing.student import OctavePoints, ResidualBody, TransposedTail, tiny_student

Source = ShadedSphere
Backbone = ResidualBody
Upsampler = TransposedTail


class Encoding(OctavePoints):
    """Points with a learned gain for each channel, and the mean colour that the teacher shows."""

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.gain = nn.Parameter(torch.rand(self.channels, 1, 1))
        self.register_buffer("brightness", torch.zeros(()))

    def prepare(self, teacher: nfcore.Teacher, scene: Scene, cameras: Cameras) -> None:
        along = torch.tensor([[-1.0, 0.0, 0.0]])
        self.brightness.copy_(teacher.render(Rays(-4 * along, along)).rgb.mean())

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        return self.gain * super().forward(origins, directions) + self.brightness

    def halves(self) -> None:
        """Return None: each coordinate has a gain of its own, which no embedding of one coordinate knows."""


class Loss(nfcore.Loss):
    """Squared error, twice as much where the teacher is opaque; with a constant that has to move."""

    uses_geometry = True

    def __init__(self, options: nfcore.Options) -> None:
        super().__init__(options)
        self.register_buffer("emphasis", torch.tensor(1.0), persistent=False)

    def forward(
        self, image: Tensor, target: Tensor, opacity: Tensor | None = None, depth: Tensor | None = None
    ) -> Tensor:
        return ((1 + self.emphasis * opacity) * (image - target).square()).mean()


class Teacher(nfcore.Teacher):
    """Knows where the sphere is and learns its colour as a linear function of the normal."""

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.colour = nn.Parameter(torch.tensor([[0.5, 0.5, 0.5], [0, 0, 0], [0, 0, 0], [0, 0, 0]]))

    def fit(self, source: nfcore.RaySource, budget: Budget, reporter: Reporter) -> None:
        views = source.views("train")
        rays, photos = views.cameras.rays().flat(), views.images.reshape(-1, 3)
        features, hit = self.features(rays)
        features, photos = features[hit], photos[hit]
        generator = self.generator(budget.seed)
        velocity, step = torch.zeros(4, 3), 0
        state = reporter.restore()
        if state is not None:
            step = state["step"]
            self.load_state_dict(state["teacher"])
            velocity = state["velocity"]
            generator.set_state(state["generator"])
        clock = budget.clock()
        reporter.start(budget.steps)
        while self.goes_on(clock, step):
            batch = torch.randint(len(photos), (64,), generator=generator)
            error = features[batch] @ self.colour.detach() - photos[batch]
            velocity = 0.5 * velocity - 0.2 * features[batch].T @ error / 64
            with torch.no_grad():
                self.colour += velocity
            step += 1
            self.report(reporter, step)
            reporter.checkpoint(step, lambda: self.state(step, velocity, generator))  # noqa: B023 - called at once

    def goes_on(self, clock, step: int) -> bool:
        return clock.progress(step) < 1

    def generator(self, seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    def report(self, reporter: Reporter, step: int) -> None:
        reporter.step(step)

    def state(self, step: int, velocity: Tensor, generator: torch.Generator) -> dict:
        teacher = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        return {"step": step, "teacher": teacher, "velocity": velocity, "generator": generator.get_state()}

    def features(self, rays: Rays) -> tuple[Tensor, Tensor]:
        truth = sphere_rendering(rays)
        normals = (rays.origins + truth.depth[:, None] * rays.directions) / RADIUS
        return torch.cat([torch.ones(len(normals), 1), normals], 1), truth.opacity > 0

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        truth = sphere_rendering(rays)
        features, hit = self.features(rays)
        colour = (features @ self.colour).clamp(0, 1)
        return Rendering(torch.where(hit[:, None], colour, torch.tensor(BACKGROUND)), truth.opacity, truth.depth)


class Exporter(nfcore.Exporter):
    """The weights of the kit's student in one file, run by torch."""

    file = "weights.safetensors"

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(psnr=100, max_error=1e-5)

    def export(self, student: nfcore.LightField, folder: Path) -> Exported:
        size = {"height": str(student.cameras.height), "width": str(student.cameras.width)}
        write_safetensors(folder / self.file, student.state_dict(), size)
        return Exported((ExportedFile.camera_to_image(self.file, student.cameras),), "fp32", "torch")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        weights, size = read_safetensors(folder / self.file)
        student = tiny_student()
        student.load_state_dict(weights)

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            return student.render(Cameras(poses, intrinsics, int(size["height"]), int(size["width"])))

        return Runner("torch", render)


__all__ = ["Backbone", "Encoding", "Exporter", "Loss", "Source", "Teacher", "Upsampler"]
