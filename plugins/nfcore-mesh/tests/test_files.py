"""The files of a mesh, read back by libraries that did not write them."""

import json
import struct
import subprocess
from pathlib import Path

import ball
import numpy as np
import pytest
import torch

from nfcore import UserError
from nfcore.evaluation import psnr
from nfcore_mesh.exporter import MeshExporter
from nfcore_mesh.glb import read_glb
from nfcore_mesh.points import PointCloudExporter

HERE = Path(__file__).parent
VALIDATOR = HERE / "node_modules" / "gltf-validator"


@pytest.fixture
def trimesh():
    """Imported where it is needed: each of pytest's workers imports this file, and one runs it."""
    import trimesh

    return trimesh


def colour_at(loaded, side):
    """The mean colour of vertices on one side of the ball, from the texture."""
    uv, material = torch.tensor(loaded.visual.uv), loaded.visual.material
    picture = material.image if hasattr(material, "image") else material.baseColorTexture
    texture = torch.tensor(np.asarray(picture.convert("RGB")))
    size = len(texture)
    texel = (uv * torch.tensor([1, -1]) + torch.tensor([0, 1])).mul(size).long().clamp(0, size - 1)
    return texture[texel[:, 1], texel[:, 0]][torch.tensor(side)].float().mean(0) / 255


def test_the_glb_stands_upright_in_metres_on_the_floor(trimesh, exported):
    scene = trimesh.load(exported.folder / "mesh.glb")
    (low, high) = scene.bounds
    diameter = 2 * ball.RADIUS * 0.5
    assert (high - low) == pytest.approx([diameter] * 3, abs=0.05)
    assert low[1] == pytest.approx(0, abs=1e-5)
    # The scene's up is z, glTF's is y: the red half is above.
    mesh = scene.to_geometry()
    middle = (low + high)[1] / 2
    assert colour_at(mesh, mesh.vertices[:, 1] > middle + 0.1) == pytest.approx(ball.RED, abs=0.05)
    assert colour_at(mesh, mesh.vertices[:, 1] < middle - 0.1) == pytest.approx(ball.BLUE, abs=0.05)


def test_the_obj_is_in_the_scene_s_world(trimesh, exported):
    mesh = trimesh.load(exported.folder / "mesh.obj", process=False)
    assert mesh.bounds.flatten() == pytest.approx([-ball.RADIUS] * 3 + [ball.RADIUS] * 3, abs=0.08)
    assert colour_at(mesh, mesh.vertices[:, 2] > 0.2) == pytest.approx(ball.RED, abs=0.05)


def test_the_ply_has_a_colour_for_each_vertex(trimesh, exported):
    mesh = trimesh.load(exported.folder / "mesh.ply", process=False)
    colours = torch.tensor(mesh.visual.vertex_colors[:, :3]).float() / 255
    assert colours[torch.tensor(mesh.vertices[:, 2] > 0.2)].mean(0) == pytest.approx(ball.RED, abs=0.05)
    assert len(mesh.faces) == exported.exported.report["triangles"]


def test_the_usdz_is_what_quick_look_takes(exported):
    from pxr import Usd, UsdGeom, UsdValidation

    stage = Usd.Stage.Open(str(exported.folder / "mesh.usdz"))
    everything = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert [str(error.GetMessage()) for error in UsdValidation.ValidationContext(everything).Validate(stage)] == []
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    low, high = UsdGeom.Mesh(stage.GetPrimAtPath("/Scene/Mesh")).GetExtentAttr().Get()
    assert high[1] - low[1] == pytest.approx(2 * ball.RADIUS * 0.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.skipif(not VALIDATOR.is_dir(), reason=f"'npm ci --prefix {HERE}' installs the validator")
def test_the_glb_passes_khronos_validator(exported):
    command = ["node", HERE / "validate.js", exported.folder / "mesh.glb"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert said["issues"]["numErrors"] == 0, said["issues"]["messages"]
    assert said["issues"]["numWarnings"] == 0, said["issues"]["messages"]
    assert said["info"]["totalTriangleCount"] == exported.exported.report["triangles"]


def test_the_files_show_what_the_teacher_shows(exported):
    runner, cameras = exported.exporter.load(exported.folder), exported.model.cameras
    images = runner.render(cameras.poses, cameras.intrinsics)
    assert float(psnr(images, exported.model.render(cameras)).mean()) > 22
    assert exported.exported.report["field"]["silhouette_iou"] > 0.93


def test_a_point_cloud_lies_on_the_ball_with_normals_outwards(trimesh, tmp_path):
    model = ball.model()
    exporter = PointCloudExporter(PointCloudExporter.Options(points=2000))
    exporter.export(model, tmp_path)
    cloud = trimesh.load(tmp_path / "points.ply")
    points = torch.tensor(cloud.vertices)
    assert 1000 < len(points) <= 2000
    assert points.norm(dim=1) == pytest.approx(ball.RADIUS, abs=1e-3)
    assert torch.tensor(cloud.visual.vertex_colors[:, 0])[points[:, 2] > 0.05].float().mean() > 200
    data = cloud.metadata["_ply_raw"]["vertex"]["data"]
    normals = torch.stack([torch.tensor(data[name].copy()) for name in ("nx", "ny", "nz")], -1).reshape(-1, 3)
    assert ((normals * points).sum(1) / ball.RADIUS).median() > 0.99


@pytest.mark.parametrize("keep", [0, 11, 300, 5000])
def test_a_glb_cut_short_is_named(exported, tmp_path, keep):
    (tmp_path / "mesh.glb").write_bytes((exported.folder / "mesh.glb").read_bytes()[:keep])
    with pytest.raises(UserError, match=r"mesh\.glb"):
        exported.exporter.load(tmp_path)


def test_a_glb_with_indices_beyond_its_vertices_is_named(exported):
    data = bytearray((exported.folder / "mesh.glb").read_bytes())
    text = struct.unpack_from("<I", data, 12)[0]
    view = json.loads(data[20 : 20 + text])["bufferViews"][2]
    start = 28 + text + view["byteOffset"]
    data[start : start + 2] = b"\xff\xff"
    with pytest.raises(UserError, match=r"there\.glb"):
        read_glb(bytes(data), "there.glb")


def test_another_program_s_glb_is_named(trimesh, tmp_path):
    trimesh.creation.box().export(tmp_path / "mesh.glb")
    with pytest.raises(UserError, match="nfcore"):
        MeshExporter(MeshExporter.Options()).load(tmp_path)


@pytest.mark.slow
def test_a_texture_too_small_is_named(tmp_path):
    options = MeshExporter.Options(resolution=40, texture=64, triangles=100_000)
    with pytest.raises(UserError, match="texture = 64"):
        MeshExporter(options).export(ball.model(), tmp_path)


def test_usdz_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    options = MeshExporter.Options(formats=("usdz",))
    with pytest.raises(UserError, match=r"pip install .*usdz"):
        MeshExporter(options).export(ball.model(), tmp_path)
