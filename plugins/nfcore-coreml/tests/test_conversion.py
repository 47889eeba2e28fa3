"""What a torch module computes, its package computes, also where coremltools' own conversion would not."""

import pytest
import torch
from torch import Tensor, nn

import nfcore
from nfcore_coreml.conversion import Description, convert
from nfcore_coreml.evaluator import Package, Program

pytestmark = pytest.mark.slow


class Inverted(nn.Module):
    """A number over the input, as perspective has it."""

    def forward(self, depths: Tensor) -> Tensor:
        """Return 2 / depths."""
        return 2 / depths


def test_a_small_number_is_inverted_exactly(tmp_path):
    # coremltools 9.0 makes MIL's `inverse` of it, whose epsilon of 1e-4 halves the first value.
    depths = torch.tensor([1e-4, 1e-3, 0.5, 7.0])
    described = Description("2 / depths", {"depths": "what is inverted"}, {"inverted": "2 / depths"})
    convert(Inverted(), {"depths": depths}, tmp_path / "it.mlpackage", target="iOS16", description=described)
    found = Program(Package.read(tmp_path / "it.mlpackage"))(depths=depths)["inverted"]
    torch.testing.assert_close(found, 2 / depths)


BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
SCENES = {
    "box": nfcore.Scene(near=2, far=6, box=BOX),
    "unbounded": nfcore.Scene(near=0.5, far=50, box=BOX, unbounded=True),
    "forward-facing": nfcore.Scene(near=1, far=50, box=((-20, -15, -50), (20, 15, -1)), forward_facing=True),
}


class Samples(nn.Module):
    """Depths of a camera's samples in a space, and their coordinates."""

    def __init__(self, scene: nfcore.Scene) -> None:
        super().__init__()
        self.space = nfcore.Space.of(scene)
        self.register_buffer("fractions", torch.linspace(0, 1, 9).reshape(1, -1, 1, 1))

    def forward(self, pose: Tensor, intrinsics: Tensor) -> Tensor:
        """Return (1, 36, h, w): depths, x, y, z."""
        rays = nfcore.ray_grid(pose, intrinsics, 16, 16, 2)
        depths = self.space.depths(*rays, self.fractions, dim=1)
        return torch.cat([depths, *self.space.coordinates(*rays, self.fractions, dim=1)], 1)


@pytest.mark.parametrize("kind", SCENES)
def test_samples_lie_where_torch_has_them_in_every_kind_of_scene(kind, tmp_path):
    distance = 0.1 if kind == "forward-facing" else 3.0
    pose = torch.tensor([[[1.0, 0, 0, 0.1], [0, 1, 0, 0.2], [0, 0, 1, distance]]])
    given = {"pose": pose, "intrinsics": torch.tensor([[16.0, 16, 8, 8]])}
    module = Samples(SCENES[kind]).eval()
    described = Description("samples", dict.fromkeys(given, "camera"), {"samples": "depths, x, y, z"})
    convert(module, given, tmp_path / "it.mlpackage", target="iOS16", description=described)
    found = Program(Package.read(tmp_path / "it.mlpackage"))(**given)["samples"]
    torch.testing.assert_close(found, module(*given.values()))
