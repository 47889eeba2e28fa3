"""The official files: what the viewer makes of them, and what is said of damaged or impossible ones."""

import numpy as np
import pytest
import snerg_ball
import torch
from PIL import Image
from shader import Textures, fragment, read
from snerg_ball import psnr

import nfcore
from nfcore import FittedTeacher, Scene, Teacher, UserError
from nfcore_snerg import layout
from nfcore_snerg.exporter import SnergFiles
from nfcore_snerg.files import read_files


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NFCORE_KERNELS", "off")
        folder, model = tmp_path_factory.mktemp("snerg"), snerg_ball.model()
        exporter = SnergFiles(SnergFiles.Options())
        return model, folder, exporter, exporter.export(model, folder)


@pytest.fixture
def copied(exported, tmp_path):
    _, folder, _, _ = exported
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_the_evaluator_does_what_the_viewers_shader_does(exported):
    model, folder, exporter, _ = exported
    camera, textures = model.cameras[1], Textures(folder)
    shown = exporter.load(folder).render(camera.poses, camera.intrinsics)[0].permute(1, 2, 0)
    rays, frame = camera.rays(), model.teacher.frame
    origins, _ = frame.rays(rays.flat())
    for y, x in ((10, 7), (4, 5), (13, 9), (9, 3), (0, 0), (16, 6)):
        origin = origins[y * snerg_ball.WIDTH + x].double().numpy()
        right, up, depth = rays.directions[0, y, x].double().numpy()
        direction = np.array([-right, depth, up])  # y is up in the viewer's world
        expected = fragment(textures, origin + 0.33 * direction, direction)
        assert shown[y, x].numpy() == pytest.approx(np.clip(expected, 0, 1), abs=2e-4), (x, y)


def test_the_files_show_what_the_teacher_shows(exported):
    model, folder, exporter, _ = exported
    cameras = model.cameras
    shown, expected = exporter.load(folder).render(cameras.poses, cameras.intrinsics), model.render(cameras)
    assert expected.std() > 0.05
    assert psnr(shown, expected) > 50


def test_voxels_of_8_bits_are_stored_exactly(exported):
    model, folder, _, _ = exported
    parameters, atlas, _ = read_files(folder)
    stored = {tuple(texel) for texel in atlas.reshape(-1, 8).tolist()}
    rows = {tuple(row) for row in (model.teacher.table * 255).round().int().tolist()}
    assert stored == rows
    assert parameters.grid == model.teacher.grid(snerg_ball.RESOLUTION)


def test_its_names_and_sizes_are_those_that_the_viewer_asks_for(exported):
    _, folder, _, described = exported
    parameters, _, _ = read_files(folder)
    slices = range(parameters.num_slices)
    names = {f"{kind}_{i:03d}.png" for kind in ("rgba", "feature") for i in slices}
    assert {path.name for path in folder.iterdir()} == names | {"scene_params.json", "atlas_indices.png"}
    assert [file.name for file in described.files] == ["scene_params.json"], "which names all others"
    width, height, depth = parameters.texels
    assert read(folder / "rgba_000.png").shape == (4 * height, width, 4)
    assert depth == 4 * parameters.num_slices
    assert parameters.block_size == snerg_ball.BLOCK - 2


@pytest.mark.parametrize("name", ["scene_params.json", "atlas_indices.png", "rgba_001.png", "feature_000.png"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_file_is_named(exported, copied, name, damage):
    path = copied / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif name.endswith(".json"):
        path.write_text('{"voxel_size": -1}')
    else:
        Image.new("RGBA", (3, 5)).save(path)
    with pytest.raises(UserError, match=name) as error:
        exported[2].load(copied)
    assert str(error.value).count("\n") < 2


def test_a_block_outside_the_atlas_is_named(exported, copied):
    path = copied / "atlas_indices.png"
    pixels = read(path).copy()
    pixels[pixels[..., 0] != 255] = 99
    Image.fromarray(pixels).save(path)
    with pytest.raises(UserError, match=r"atlas_indices\.png"):
        exported[2].load(copied)


def test_an_atlas_too_large_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "MOST_TEXELS", 8 * snerg_ball.BLOCK // 4)
    with pytest.raises(UserError, match=rf"resolution = \d+ \(now {snerg_ball.RESOLUTION}\)"):
        SnergFiles(SnergFiles.Options()).export(snerg_ball.model(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_more_texture_memory_than_allowed_is_refused_with_the_resolution_that_fits(tmp_path):
    model = snerg_ball.model(resolution=90)
    with pytest.raises(UserError, match=r"texture_megabytes = 1.*resolution = (\d+)") as error:
        SnergFiles(SnergFiles.Options(texture_megabytes=1)).export(model, tmp_path)
    fits = int(str(error.value).partition("resolution = ")[2].split()[0])
    SnergFiles(SnergFiles.Options(texture_megabytes=1)).export(snerg_ball.model(resolution=fits), tmp_path)


def test_another_teacher_is_told_how_to_get_there(tmp_path):
    class Other(Teacher):
        def fit(self, source, budget, reporter):
            raise NotImplementedError

        def render(self, rays):
            raise NotImplementedError

    other = FittedTeacher(Other(nfcore.Options(), snerg_ball.SCENE), snerg_ball.cameras())
    with pytest.raises(UserError, match="nfcore run snerg --scene"):
        SnergFiles(SnergFiles.Options()).export(other, tmp_path)


def test_a_background_that_the_viewer_does_not_have_is_refused(tmp_path):
    black = Scene(**{**snerg_ball.SCENE.model_dump(), "background": (0, 0, 0)})
    with pytest.raises(UserError, match=r"white.*\(0\.0, 0\.0, 0\.0\)"):
        SnergFiles(SnergFiles.Options()).export(snerg_ball.model(scene=black), tmp_path)


def test_the_rays_of_another_camera_see_another_image(exported):
    model, folder, exporter, _ = exported
    runner, cameras = exporter.load(folder), model.cameras
    first, second = (runner.render(cameras[i].poses, cameras[i].intrinsics) for i in (0, 1))
    assert psnr(first, second) < 30
    assert torch.equal(first, runner.render(cameras[0].poses, cameras[0].intrinsics))
