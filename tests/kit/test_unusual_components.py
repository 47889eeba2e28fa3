"""Components unlike the usual ones pass the kit: sines, stopped gradients, a rasteriser, a baker of teachers."""

from __future__ import annotations

import pytest
import right
import textbook
import torch

import nfcore
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.testing import BackboneConformance, ExporterConformance, TeacherConformance
from nfcore.testing.running import run_file
from nfcore.testing.sphere import sphere_rendering

pytestmark = pytest.mark.slow


class Rasteriser(right.Teacher):
    """Draws whole views only."""

    render = nfcore.Teacher.render

    def render_views(self, cameras):
        drawn = right.Teacher.render(self, cameras.rays().flat())
        shape = (len(cameras), cameras.height, cameras.width)
        return nfcore.Rendering(
            drawn.rgb.reshape(*shape, 3), drawn.opacity.reshape(shape), drawn.depth.reshape(shape)
        )


class TestRasteriser(TeacherConformance):
    component = Rasteriser


class Baker(nfcore.Exporter[nfcore.FittedTeacher]):
    """Writes what a teacher sees at each of its cameras' pixels; here, that it is the sphere."""

    takes = "teacher"
    tolerance = nfcore.Tolerance(psnr=100, max_error=1e-5)

    def export(self, model, folder, /):
        size = {"height": str(model.cameras.height), "width": str(model.cameras.width)}
        write_safetensors(
            folder / "sphere.safetensors", {"background": torch.tensor(model.scene.background)}, size
        )
        file = nfcore.ExportedFile.camera_to_image("sphere.safetensors", model.cameras)
        return nfcore.Exported((file,), "fp32", "torch")

    def load(self, folder, threads=None):
        _, size = read_safetensors(folder / "sphere.safetensors")
        height, width = int(size["height"]), int(size["width"])

        def render(poses, intrinsics):
            rgb = sphere_rendering(nfcore.Cameras(poses, intrinsics, height, width).rays().flat()).rgb
            return rgb.reshape(len(poses), height, width, 3).permute(0, 3, 1, 2)

        return nfcore.Runner("torch", render)


class TestBaker(ExporterConformance):
    component = Baker


class TestSiren(BackboneConformance):
    component = textbook.Siren


class TestFiner(BackboneConformance):
    component = textbook.Finer


class TestRounded(BackboneConformance):
    component = textbook.Rounded
    stops_gradients = True


class TestDetachedAmplitude(BackboneConformance):
    component = textbook.DetachedAmplitude
    stops_gradients = True


class TestWire(BackboneConformance):
    component = textbook.Wire
    half_precision = False


WRONG_GRADIENT = """
class WrongGradient({base}):
    def forward(self, features):
        output = super().forward(features)
        return _Doubled.apply(output)


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        return 2 * gradient
"""


@pytest.mark.parametrize(
    ("component", "stops"),
    [
        ("textbook.Rounded", False),
        ("textbook.DetachedAmplitude", False),
        ("WrongGradient", True),
        ("textbook.Siren", True),
    ],
    ids=[
        "undeclared rounding",
        "undeclared amplitude",
        "a wrong gradient next to a stopped one",
        "nothing to declare",
    ],
)
def test_gradients_that_are_not_as_declared_are_found(component, stops, tmp_path):
    path = tmp_path / "test_gradients.py"
    path.write_text(
        "import textbook, torch\nfrom nfcore.testing import BackboneConformance\n"
        + WRONG_GRADIENT.format(base="textbook.Rounded")
        + f"\n\nclass TestIt(BackboneConformance):\n    component = {component}\n    stops_gradients = {stops}\n"
    )
    collector = run_file(path)
    assert collector.errors == []
    failed = [o.broken for o in collector.outcomes if o.result != "passed"]
    assert failed == ["network.gradients"]
