"""The form that takes rays: any number of rows and columns of them."""

from __future__ import annotations

import onnxruntime
import pytest
import torch

import nfcore
from nfcore import Cameras, LightField

pytestmark = pytest.mark.slow


def test_its_runner_gives_torchs_image_of_every_kind_of_student(student, exporter, exported):
    runner = exporter(form="rays").load(exported(student, form="rays"))
    images = runner.render(student.cameras.poses, student.cameras.intrinsics)
    assert (images - student.render(student.cameras)).abs().max() <= 1e-4


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (12, 3)])
def test_the_file_takes_any_number_of_rays(guided, exporter, exported, rows, columns):
    scale = guided.scale
    cameras = Cameras(guided.cameras.poses, guided.cameras.intrinsics, rows * scale, columns * scale)
    parts = (guided.encoding, guided.backbone, guided.upsampler)
    expected = LightField(*parts, scene=guided.scene, cameras=cameras).render(cameras)
    rays = nfcore.ray_grid(cameras.poses, cameras.intrinsics, cameras.height, cameras.width, scale)
    session = onnxruntime.InferenceSession(exported(guided, form="rays") / "of_rays.onnx")
    values = {name: ray.numpy() for name, ray in zip(("origins", "directions"), rays, strict=True)}
    image = torch.from_numpy(session.run(None, values)[0])
    assert image.shape == expected.shape
    assert (image - expected).abs().max() <= 1e-4


def test_fewer_bits_are_for_rays_too(papers, exporter, tmp_path):
    for precision, floor in (("int8", 50), ("w8a8", 25)):
        folder = tmp_path / precision
        folder.mkdir()
        exporter(form="rays", precision=precision).export(papers, folder)
        error = exporter().load(folder).render(papers.cameras.poses, papers.cameras.intrinsics)
        error -= papers.render(papers.cameras)
        assert -10 * error.square().mean().log10() >= floor
