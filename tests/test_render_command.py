"""``nfcore render``: where its files go, what they show, what does not go together."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from tiny_cameras import UP, ring
from tiny_runs import trained
from typer.testing import CliRunner

import nfcore
from nfcore import UserError
from nfcore.cli import app
from nfcore.config.resolve import configure
from nfcore.geometry.orbits import look_at
from nfcore.pipeline.depth import depth_views
from nfcore.runs import Artifacts, Run
from nfcore.scene.camera_paths import read_path
from nfcore.ui.console import Console


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    manager = tiny.manager()
    folder = tmp_path_factory.mktemp("render") / "run"
    return trained(folder, configure("tiny", manager), manager, Console(quiet=True))


@pytest.fixture
def command(run, monkeypatch):
    """Call ``nfcore render RUN`` or another path; return what it printed, or the error."""
    monkeypatch.setattr("nfcore.cli.render.plugins", tiny.manager)

    def call(*options: object, of: object = None) -> str:
        done = CliRunner().invoke(app, ["render", str(of or run.folder), "--quiet", *map(str, options)])
        if isinstance(done.exception, UserError):
            assert len(str(done.exception).splitlines()) <= 2
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


def test_the_default_is_an_orbit_of_the_student_in_renders(run, command):
    printed = command("--frames", 5)
    path = run.folder / "renders" / "orbit-student.mp4"
    assert printed == f"video: {path}\n"
    with av.open(path) as video:
        assert len(list(video.decode(video=0))) == 5


def test_json_has_the_path_and_nothing_else(run, command):
    written = {"what": "video", "path": str(run.folder / "renders" / "orbit-student.mp4")}
    assert json.loads(command("--frames", 3, "--json")) == written


def test_the_test_poses_give_a_picture_for_each_test_photo(run, command):
    command("--path", "test", "--format", "png", "--from", "teacher")
    folder = run.folder / "renders" / "test-teacher"
    assert sorted(path.name for path in folder.iterdir()) == ["0000.png", "0001.png", "cameras.json"]
    photo = tiny.Ring(tiny.Ring.Options()).views("test").images[1]
    seen = np.array(Image.open(folder / "0001.png"))
    assert abs(seen - 255 * photo.numpy()).max() < 6  # the teacher knows the sky but for its brightness


def test_depth_for_scripts_is_in_scene_units(run, command):
    command("--depth", "--format", "npy", "--frames", 3)
    command("--depth", "--format", "png16", "--frames", 3)
    folder = run.folder / "renders" / "orbit-depth-npy"
    depth = np.load(folder / "depth.npy")
    cameras = read_path(folder / "cameras.json").cameras(ring(1))
    teacher = Artifacts(run, tiny.manager()).teacher
    known = torch.stack([seen.depth for seen in depth_views(teacher, cameras)])
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, known.numpy(), rtol=1e-6)
    assert depth.max() > 3
    folder = run.folder / "renders" / "orbit-depth-png16"
    unit = json.loads((folder / "cameras.json").read_text())["depth_unit"]
    steps = np.array(Image.open(folder / "0002.png"))
    assert steps.dtype == np.uint16
    np.testing.assert_allclose(steps * unit, depth[2], atol=unit)


def test_depth_for_people_has_its_range_in_the_name(run, command):
    printed = command("--depth", "--frames", 2, "--depth-range", "1:5", "--format", "gif")
    assert "depth 1 (red) to 5 (violet) scene units" in printed
    assert (run.folder / "renders" / "orbit-depth-1-to-5.gif").is_file()
    command("--depth", "--frames", 2, "--depth-range", "0.5:4.75", "--format", "png")
    assert (run.folder / "renders" / "orbit-depth-0.5-to-4.75" / "0001.png").is_file()


def test_a_students_file_alone_renders_along_its_reference_poses(run, command, tmp_path):
    file = tmp_path / "alone.safetensors"
    file.write_bytes(run.student_file.read_bytes())
    command("--path", "reference", "--out", tmp_path / "v.webm", "--size", "32", of=file)
    with av.open(tmp_path / "v.webm") as video:
        assert video.streams.video[0].height == 32
        assert len(list(video.decode(video=0))) == 2
    command("--path", "orbit", "--frames", 2, "--out", tmp_path / "flight", of=file)
    command("--path", tmp_path / "flight" / "cameras.json", "--still", 0, of=file)
    assert (tmp_path / "alone-renders" / "flight-student-0.png").is_file()
    command("--still", 1, "--path", "reference", of=file)
    still = np.array(Image.open(tmp_path / "alone-renders" / "reference-student-1.png"))
    student = nfcore.LightField.load(file, tiny.manager())
    shown = student.render(student.cameras[1])[0].permute(1, 2, 0).numpy()
    assert abs(still - 255 * shown).max() <= 0.5 + 1e-3


def test_cameras_beyond_the_students_own_are_noted_in_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.cli.render.plugins", tiny.manager)
    near = look_at(torch.tensor([[0.5, 0.0, 0.3]]), torch.zeros(3), UP)
    path = tmp_path / "near.json"
    path.write_text(json.dumps({"frames": [{"pose": near[0].tolist()}]}))
    done = CliRunner().invoke(app, ["render", str(run.folder), "--path", str(path), "--still", "0"])
    noted = [line for line in done.stderr.splitlines() if "reference cameras" in line]
    assert len(noted) == 1 and noted[0].startswith("1 of 1 cameras")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--depth", "--from", "student"], "--from student"),
        (["--format", "npy"], "add --depth"),
        (["--depth-range", "1:2"], "add --depth"),
        (["--depth", "--depth-range", "5:2"], "NEAR:FAR"),
        (["--size", "large"], "HEIGHTxWIDTH"),
        (["--size", "0"], "HEIGHTxWIDTH"),
        (["--size", "18x18"], "would fit"),
        (["--path", "loop"], "orbit, spiral, test, reference"),
        (["--frames", "3", "--still", "3"], "has 3 frames, counted from 0"),
        (["--out", "film.avi"], ".mp4 or .webm or .gif"),
        (["--out", "film.gif", "--format", "mp4"], "should be .mp4"),
        (["--out", "film", "--format", "mp4"], "end in .mp4"),
        (["--out", "film.gif", "--format", "png"], "should be .mp4 or .webm or .gif"),
        (["--still", "0", "--format", "mp4"], "--still writes a PNG"),
        (["--world", "x.json"], "--world"),
        (["--again", "--frames", "3"], "--again"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(command, run, options, said):
    before = sorted(run.folder.rglob("*"))
    with pytest.raises(UserError) as error:
        command(*options)
    assert said in str(error.value)
    assert sorted(run.folder.rglob("*")) == before


def test_what_is_not_there_is_refused_with_what_makes_it(command, run, tmp_path):
    file = tmp_path / "alone.safetensors"
    file.write_bytes(run.student_file.read_bytes())
    with pytest.raises(UserError, match="no teacher"):
        command("--from", "teacher", of=file)
    with pytest.raises(UserError, match="reference poses"):
        command("--path", "test", of=file)
    new = Run.create(tmp_path / "new", run.config, resume=False)
    with pytest.raises(UserError, match="'nfcore finetune"):
        command("--frames", 2, of=new.folder)
    with pytest.raises(UserError, match="'nfcore teach"):
        command("--frames", 2, "--from", "teacher", of=new.folder)


def test_a_folder_of_something_else_is_never_replaced(command, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.png").write_bytes(b"mine")
    with pytest.raises(UserError, match="--out"):
        command("--format", "png", "--out", tmp_path / "photos", "--frames", 2)
    assert (tmp_path / "photos" / "mine.png").read_bytes() == b"mine"
    for _ in range(2):  # one that was rendered here is
        command("--out", tmp_path / "frames", "--frames", 2)  # a name without an ending is a folder
    assert len(list((tmp_path / "frames").iterdir())) == 3
