from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import nfcore_scenes
from nfcore import UserError
from nfcore_scenes.blender import Blender
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.llff import Llff
from nfcore_scenes.procedural import Procedural
from nfcore_scenes.teacher_views import TeacherViews
from nfcore_scenes.transforms import TransformsJson


@pytest.fixture
def app():
    app = typer.Typer()
    app.callback()(lambda: None)  # keeps a lone command's name on the command line
    nfcore_scenes.nfcore_commands(app)
    return app


def test_the_plugin_names_its_classes():
    targets = {component.name: component.target for component in nfcore_scenes.nfcore_components()}
    assert targets == {
        "nsvf": "nfcore_scenes.nsvf:Nsvf",
        "idr": "nfcore_scenes.idr:Idr",
        "polycam": "nfcore_scenes.polycam:Polycam",
        "record3d": "nfcore_scenes.record3d:Record3d",
        "blender": f"{Blender.__module__}:{Blender.__name__}",
        "colmap": f"{Colmap.__module__}:{Colmap.__name__}",
        "llff": f"{Llff.__module__}:{Llff.__name__}",
        "procedural": f"{Procedural.__module__}:{Procedural.__name__}",
        "teacher-views": f"{TeacherViews.__module__}:{TeacherViews.__name__}",
        "transforms": f"{TransformsJson.__module__}:{TransformsJson.__name__}",
    }


def test_every_option_has_a_description():
    for source in (Blender, Colmap, Llff, TransformsJson, Procedural, TeacherViews):
        assert all(field.description for field in source.Options.model_fields.values())


@pytest.mark.slow
def test_loading_the_plugin_and_its_command_imports_no_torch():
    code = (
        "import sys, typer, nfcore_scenes\n"
        "list(nfcore_scenes.nfcore_components()); nfcore_scenes.nfcore_commands(typer.Typer())\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_make_scene_writes_a_data_set_that_blender_reads(app, tmp_path):
    result = CliRunner().invoke(app, ["make-scene", str(tmp_path / "scene"), "--image-size", "12"])
    assert result.exit_code == 0, result.output
    assert "60 train, 8 val, 20 test views of 12x12 pixels" in result.output
    assert Blender(Blender.Options(path=tmp_path / "scene")).views("train").images.shape == (60, 12, 12, 3)


def test_make_scene_refuses_an_existing_folder_before_it_renders(app, tmp_path, monkeypatch):
    monkeypatch.setattr(Procedural, "views", lambda *_: pytest.fail("rendered"))
    result = CliRunner().invoke(app, ["make-scene", str(tmp_path)])
    assert isinstance(result.exception, UserError)


@pytest.mark.parametrize(
    ("layout", "reader"), [("llff", Llff), ("colmap", Colmap), ("transforms", TransformsJson)]
)
def test_make_scene_writes_what_the_layouts_reader_reads(app, tmp_path, layout, reader):
    command = ["make-scene", str(tmp_path / "s"), "--format", layout, "--image-size", "16", "--photos", "6"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "6 photos of 16x16 pixels" in result.output
    source = reader(reader.Options(path=tmp_path / "s"))
    assert [len(source.views(split)) for split in ("train", "val", "test")] == [5, 0, 1]


def test_make_scene_refuses_an_existing_folder_in_every_layout(app, tmp_path, monkeypatch):
    monkeypatch.setattr(Procedural, "render", lambda *_: pytest.fail("rendered"))
    for layout in ("llff", "colmap", "transforms"):
        assert isinstance(
            CliRunner().invoke(app, ["make-scene", str(tmp_path), "--format", layout]).exception, UserError
        )
