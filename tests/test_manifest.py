"""The manifest of an export says what was exported, by what, to which files, and what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tiny

from nfcore import Tolerance, UserError
from nfcore.config.schema import Choice
from nfcore.exports.manifest import Manifest, manifests, sha256
from nfcore.measuring.packages import Package
from nfcore.pipeline import ExportRejectedError, Reference, export


@pytest.fixture
def student():
    return tiny.student()


@pytest.fixture
def from_file(tmp_path, student, manager) -> Reference:
    """A student that was loaded from its file, as the command line has it."""
    student.save(tmp_path / "student.safetensors", manager)
    return Reference(student, file=tmp_path / "student.safetensors", scene="ring", components=manager)


def test_the_manifest_says_what_was_exported_by_what_to_which_files(tmp_path, from_file, student):
    before = datetime.now(UTC).replace(microsecond=0)
    made = export(from_file, tiny.copier(error=5e-7), tmp_path / "copy")
    manifest = Manifest.read(tmp_path / "copy")
    assert manifest == made
    assert manifest.label == "copy"
    assert before <= manifest.created <= datetime.now(UTC)
    model = manifest.model
    assert model.sha256 == sha256(tmp_path / "student.safetensors")
    assert (model.kind, model.file, model.scene) == ("student", "student.safetensors", "ring")
    assert model.components == {
        "encoding": "tiny-dist/directions",
        "backbone": "tiny-dist/mixing",
        "upsampler": "tiny-dist/shuffle",
    }
    assert model.parameters == sum(p.numel() for p in student.parameters())
    assert manifest.exporter.name == "tiny-dist/copy"
    assert manifest.exporter.options == {"error": 5e-7, "runs_here": True, "psnr": 60.0, "max_error": 1e-6}
    assert (manifest.image.width, manifest.image.height, manifest.image.pixels_per_ray) == (16, 16, 4)
    (file,) = manifest.files
    assert [(port.name, port.shape) for port in (*file.inputs, *file.outputs)] == [
        ("pose", ("batch", 3, 4)),
        ("intrinsics", ("batch", 4)),
        ("image", ("batch", 3, 16, 16)),
    ]
    (content,) = manifest.contents
    written = tmp_path / "copy" / "copy.safetensors"
    assert (content.path, content.sha256) == (file.name, sha256(written))
    assert manifest.size_of(file.name) == written.stat().st_size == manifest.bytes
    assert manifest.tolerance == Tolerance(psnr=60.0, max_error=1e-6)
    assert set(manifest.seconds) == {"export", "load", "compare"}
    manifest.check_contents(tmp_path / "copy")


def test_a_student_in_memory_of_classes_that_no_plugin_offers_is_named_by_them(tmp_path, student):
    manifest = export(student, tiny.copier(), tmp_path / "copy")
    assert (manifest.model.file, manifest.model.sha256) == (None, None)
    assert manifest.model.components["encoding"] == "tiny:Directions"
    assert (manifest.exporter.name, manifest.exporter.version) == ("tiny:Copy", None)


def test_the_same_student_gives_the_same_bytes_but_for_the_times(tmp_path, from_file):
    written = []
    for place in ("one", "two"):
        export(from_file, tiny.copier(), tmp_path / place / "copy")
        values = json.loads((tmp_path / place / "copy" / "manifest.json").read_text())
        times = values.pop("created"), values.pop("seconds")
        assert all(times)
        written.append(json.dumps(values))
    assert written[0] == written[1]
    assert (tmp_path / "one/copy/picture.png").read_bytes() == (tmp_path / "two/copy/picture.png").read_bytes()


@pytest.fixture
def delivered(tmp_path, student) -> Path:
    export(student, tiny.copier(), tmp_path / "exports" / "copy")
    return tmp_path / "exports" / "copy"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.pop("files"), "damaged: files: Field required"),
        (lambda v: v["contents"][0].update(sha256="no"), "damaged: contents.0.sha256"),
        (lambda v: v.update(more=1), "damaged: more: Extra inputs are not permitted"),
        (lambda v: v.update(format=99), "written by a newer nfcore"),
    ],
)
def test_a_manifest_that_is_damaged_or_too_new_is_refused(delivered, change, complaint):
    path = delivered / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=complaint) as error:
        Manifest.read(delivered)
    assert str(path) in str(error.value)


def test_a_manifest_of_nfcore_0_1_is_read(delivered):
    """It named the student's parts, wrote each file's size, and called the tolerance a floor."""
    path = delivered / "manifest.json"
    today = Manifest.read(delivered)
    values = json.loads(path.read_text())
    model = values.pop("model")
    student = {name: model[name] for name in ("file", "sha256", "scene", "parameters", "macs")}
    values |= {"format": 1, "student": student | model["components"], "floor": values.pop("tolerance")}
    for file in values["files"]:
        file["bytes"] = 3
    path.write_text(json.dumps(values))
    assert Manifest.read(delivered) == today


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_what_is_no_manifest_is_refused(delivered, content):
    (delivered / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json"):
        Manifest.read(delivered)


def test_a_folder_without_manifest_is_no_export(tmp_path):
    with pytest.raises(UserError, match="no export here"):
        Manifest.read(tmp_path)


def test_files_that_are_not_those_of_the_manifest_are_named(delivered):
    manifest, path = Manifest.read(delivered), delivered / "copy.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"copy\.safetensors: not the file that manifest\.json lists"):
        manifest.check_contents(delivered)
    path.unlink()
    with pytest.raises(UserError, match=r"copy\.safetensors: missing"):
        manifest.check_contents(delivered)


def test_a_runs_exports_are_found_by_their_manifests_and_rejected_ones_are_not(tmp_path, student):
    for label in ("b", "a"):
        export(student, tiny.copier(), tmp_path / label)
    with pytest.raises(ExportRejectedError):
        export(student, tiny.copier(error=0.1), tmp_path / "c")
    (tmp_path / "old").mkdir()  # of an nfcore that wrote no manifests
    assert [(folder.name, manifest.label) for folder, manifest in manifests(tmp_path)] == [("a", "a"), ("b", "b")]


class CopyWithSketch(tiny.Copy):
    """The exporter ``copy``, with files beside the one to run."""

    def export(self, student, folder):
        (folder / "sketches").mkdir()
        (folder / "sketches" / "front.txt").write_text("o")
        (folder / "copy.txt").write_text("the same in words")
        return replace(super().export(student, folder), extras=("sketches", "copy.txt"))


def test_extras_are_contents_that_do_not_count_in_the_size(tmp_path, from_file):
    export(from_file, CopyWithSketch(CopyWithSketch.Options()), tmp_path / "copy")
    manifest = Manifest.read(tmp_path / "copy")
    assert [content.path for content in manifest.contents] == [
        "copy.safetensors",
        "copy.txt",
        "sketches/front.txt",
    ]
    assert manifest.bytes == (tmp_path / "copy" / "copy.safetensors").stat().st_size
    assert manifest.figures()["bytes"] == manifest.bytes
    package = Package("copy", Choice(name="tiny-dist/copy"), tiny.copier(), tmp_path / "copy", manifest.extras)
    assert package.bytes == manifest.bytes
