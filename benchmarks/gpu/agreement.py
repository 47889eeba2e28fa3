"""What the GPU computes against the CPU: pictures and gradients of fields, students, and look-ups by Triton."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.part import DEVICE, row
from benchmarks.students import build
from nfcore import Budget, Cameras, LightField, Rays, Reporter, Scene, plugins
from nfcore.geometry.orbits import OrbitRegion
from nfcore.kernels import without_kernels
from nfcore.training.precision import autocast

_BOX = ((-1.25,) * 3, (1.25,) * 3)
#: What each kind of scene is seen as: the same photos, which agree with it more or less.
SCENES = {
    "box": Scene(near=2.0, far=6.0, box=_BOX),
    "unbounded": Scene(near=1.0, far=50.0, box=_BOX, unbounded=True),
}
RAYS = 4096


def main() -> None:
    """Print all rows."""
    source = plugins().build("ray_source", "nfcore-scenes/procedural", {}, 64)
    rays = source.views("test").cameras.rays().flat()[torch.randperm(64 * 64)[:RAYS]]
    for name in ("deferred", "voxels"):
        for kind, scene in SCENES.items():
            _field(f"{name}, {kind}", name, scene, source, rays)
    if torch.cuda.is_available():
        _look_ups()
    for recipe, size in {"mobiler2l-small": 100, "guided": 100, "mobiler2l": 400}.items():
        _student(recipe, build(recipe, size))


def _field(what: str, name: str, scene: Scene, source: Any, rays: Rays) -> None:
    """Fit a field on the CPU, and see what ``rays`` see there and on the GPU, and their gradients."""
    here, there = (plugins().build("teacher", f"nfcore-teachers/{name}", {"resolution": 64}, scene) for _ in "ab")
    here.fit(source, Budget(200), Reporter())
    there.to(DEVICE).load_state_dict(here.state_dict())
    moved = Rays(rays.origins.to(DEVICE), rays.directions.to(DEVICE))
    seen, shown = here.render(rays), there.render(moved)
    for part, tolerance in (("rgb", 2e-3), ("opacity", 1e-3), ("depth", 1e-2)):
        ours, theirs = getattr(shown, part).cpu(), getattr(seen, part)
        apart = ((ours - theirs).abs() / (1 + theirs.abs())).view(len(rays), -1).amax(1)
        share = (apart > tolerance).float().mean().item()
        note = f"{share:.2%} of rays differ by more than {tolerance:g}; allowed: 1%"
        row(f"{what}: {part}, 99th percentile of differences", f"{apart.quantile(0.99).item():.1e}", note=note)
    colours, jitter = torch.rand(len(rays), 3), torch.rand(len(rays))
    with without_kernels():
        expected = _gradients(here, rays, colours, jitter)
    found = _gradients(there, moved, colours.to(DEVICE), jitter.to(DEVICE))
    apart = max(
        ((ours - theirs).norm() / theirs.norm()).item() for ours, theirs in zip(found, expected, strict=True)
    )
    row(f"{what}: gradients, largest difference by norm", f"{apart:.1e}", note="allowed: 1e-2")


def _gradients(teacher: Any, rays: Rays, colours: Tensor, jitter: Tensor) -> list[Tensor]:
    """Return the gradients of the squared error by torch: of the table, then of each part of the network."""
    field = teacher.volume
    seen = field.shading.render(field, field.marcher(), field.domain, rays, jitter)
    parameters = [field.grid.table, *field.network.parameters()]
    gradients = torch.autograd.grad((seen.rgb - colours).square().mean(), parameters)
    return [gradient.cpu() for gradient in gradients]


def _look_ups() -> None:
    """Compare the Triton kernel of ``hash-grid`` with torch, in one process and one place."""
    from nfcore_teachers.hash_encoding import HashEncoding

    made = HashEncoding(16, 2, 14, 16, 512).to(DEVICE)
    made.table.data.normal_()
    made.table.data[0] = 0
    points = torch.rand(100_000, 3, device=DEVICE)
    ours, theirs = made(points), made.reference(points)
    row("hash-grid: Triton's look-ups against torch's", f"{(ours - theirs).abs().max().item():.1e}")
    found, expected = (torch.autograd.grad((each**2).sum(), made.table)[0] for each in (ours, theirs))
    row("hash-grid: their gradients, by norm", f"{((found - expected).norm() / expected.norm()).item():.1e}")


@torch.no_grad()
def _student(recipe: str, student: LightField) -> None:
    """Compare an untrained student's picture, with weights that are not too small to show."""
    region = OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]), (4.0, 4.0), (0.3, 0.6))
    cameras = student.cameras
    camera = Cameras(region.circle(3)[1:2], cameras.intrinsics[:1], cameras.height, cameras.width)
    expected = student(camera)
    there = copy.deepcopy(student).to(DEVICE)
    for name, dtype in {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}.items():
        if DEVICE == "cpu" and dtype == torch.float16:
            continue
        with autocast(dtype, torch.device(DEVICE)):
            found = there(camera.to(DEVICE)).float().cpu()
        row(
            f"{recipe}, untrained, in {name}: largest difference of a pixel",
            f"{(found - expected).abs().max():.1e}",
        )


if __name__ == "__main__":
    main()
