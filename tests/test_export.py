"""No export is delivered that differs from torch, and each says what was measured of it and what was not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from nfcore import NfcoreError, Runner, UserError
from nfcore.evaluation.metrics import psnr
from nfcore.exports.card import card
from nfcore.exports.manifest import Manifest, manifests, sha256
from nfcore.exports.reference import POSES, evenly_spaced
from nfcore.pipeline import ExportRejectedError, Subject, export

BESIDE = ["README.md", "manifest.json", "picture.png"]


@pytest.fixture
def student():
    return tiny.student()


def copier(**options) -> tiny.Copy:
    return tiny.Copy(tiny.Copy.Options(**options))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def whole(prefix=""):
    return [f"{prefix}{name}" for name in (*BESIDE[:1], "copy.safetensors", *BESIDE[1:])]


# -- what is delivered, and what is not --------------------------------------------------------------


def test_an_exact_export_is_delivered_with_what_was_measured(tmp_path, student):
    manifest = export(student, copier(), tmp_path / "exports" / "copy")
    assert files(tmp_path) == whole("exports/copy/")
    # bit-equal images count as 140 dB, which is what a float32 can tell
    assert manifest.figures() == {
        "bytes": (tmp_path / "exports" / "copy" / "copy.safetensors").stat().st_size,
        "precision": "fp32",
        "verified_by": "a copy",
        "psnr_vs_torch": 140.0,
        "mean_psnr_vs_torch": 140.0,
        "max_error": 0.0,
    }
    assert manifest.rejected is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"error": 2e-6}, "differs from torch: by up to 2e-06 where at most 1e-06 is allowed"),
        ({"error": 0.01, "max_error": 1.0}, "differs from torch: 40.0 dB where at least 60.0 are due"),
    ],
)
def test_an_export_below_its_floor_is_kept_apart_and_the_good_one_stays(tmp_path, student, options, reason):
    exports = tmp_path / "exports"
    export(student, copier(), exports / "copy")
    good = (exports / "copy" / "copy.safetensors").read_bytes()
    with pytest.raises(ExportRejectedError) as error:
        export(tiny.student(seed=1), copier(**options), exports / "copy")
    assert reason in str(error.value)
    assert str(exports / "rejected" / "copy") in str(error.value)
    assert (exports / "copy" / "copy.safetensors").read_bytes() == good
    assert files(exports) == whole("copy/") + whole("rejected/copy/")
    assert Manifest.read(exports / "copy").rejected is None
    assert Manifest.read(exports / "rejected" / "copy").rejected == reason
    assert "do not use these files" in (exports / "rejected" / "copy" / "README.md").read_text()


def test_a_second_rejected_export_replaces_the_first(tmp_path, student):
    for _ in range(2):
        with pytest.raises(ExportRejectedError, match="differs from torch"):
            export(student, copier(error=0.1), tmp_path / "copy")
    assert files(tmp_path) == whole("rejected/copy/")


def test_an_export_that_succeeds_takes_the_rejected_one_away(tmp_path, student):
    with pytest.raises(ExportRejectedError):
        export(student, copier(error=0.1), tmp_path / "copy")
    export(student, copier(), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(("floor", "passes"), [(39.0, True), (41.0, False)])
def test_a_floor_of_the_users_takes_the_place_of_the_exporters(tmp_path, student, floor, passes):
    exporter = copier(error=0.01)  # 40 dB, where the exporter asks for 60 and for differences of 1e-6
    if passes:
        manifest = export(student, exporter, tmp_path / "copy", floor=floor)
        assert (manifest.floor.psnr, manifest.floor.max_error) == (floor, 1.0)
    else:
        with pytest.raises(ExportRejectedError, match=r"40\.0 dB where at least 41\.0 are due"):
            export(student, exporter, tmp_path / "copy", floor=floor)


def nan(images):
    return images * float("nan")


def cropped(images):
    return images[..., 1:]


def mirrored(images):
    return images.flip(-1)


def raising(images):
    raise MemoryError("no room")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (nan, "can't be run: NaN or infinity in its image"),
        (cropped, r"can't be run: an image of \(1, 3, 16, 15\) where torch has \(1, 3, 16, 16\)"),
        (mirrored, "differs from torch"),
        (raising, "can't be run: MemoryError: no room"),
    ],
)
def test_an_export_that_renders_nonsense_is_refused(tmp_path, student, spoil, reason, monkeypatch):
    load = tiny.Copy.load

    def spoiled(self, folder, threads=None):
        runner = load(self, folder, threads)
        return Runner("nonsense", lambda *camera: spoil(runner.render(*camera)))

    monkeypatch.setattr(tiny.Copy, "load", spoiled)
    with pytest.raises(ExportRejectedError, match=reason):
        export(student, copier(psnr=60.0), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert (tmp_path / "rejected" / "copy" / "copy.safetensors").is_file()


def test_files_that_can_not_be_loaded_are_refused(tmp_path, student, monkeypatch):
    write = tiny.Copy.export

    def damaged(self, student, folder):
        exported = write(self, student, folder)
        (folder / "copy.safetensors").write_bytes(b"nothing")
        return exported

    monkeypatch.setattr(tiny.Copy, "export", damaged)
    with pytest.raises(ExportRejectedError, match="can't be run"):
        export(student, copier(), tmp_path / "copy")
    assert (tmp_path / "rejected" / "copy" / "copy.safetensors").read_bytes() == b"nothing"
    manifest = Manifest.read(tmp_path / "rejected" / "copy")
    assert manifest.figures() == {"bytes": 7, "precision": "fp32"}


def test_an_export_that_can_not_be_run_here_is_delivered_without_parity(tmp_path, student):
    manifest = export(student, copier(runs_here=False), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")
    figures = manifest.figures()
    assert figures == {"bytes": manifest.bytes, "precision": "fp32", "not_verified": "it takes a telephone"}
    assert (manifest.verified_by, manifest.parity, manifest.photos) == (None, None, None)
    assert "This export was not run" in (tmp_path / "copy" / "README.md").read_text()


def test_an_exporter_that_raises_leaves_the_old_export(tmp_path, student, monkeypatch):
    export(student, copier(), tmp_path / "copy")

    def fails(self, student, folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny.Copy, "export", fails)
    with pytest.raises(OSError, match="No space left"):
        export(student, copier(), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")


def test_an_exporter_writes_what_it_names_and_nothing_that_the_core_writes(tmp_path, student, monkeypatch):
    write = tiny.Copy.export

    def takes_the_card(self, student, folder):
        (folder / "README.md").write_text("mine")
        return write(self, student, folder)

    monkeypatch.setattr(tiny.Copy, "export", takes_the_card)
    with pytest.raises(NfcoreError, match=r"Copy wrote 'README.md', which is the core's"):
        export(student, copier(), tmp_path / "copy")

    def forgets(self, student, folder):
        exported = write(self, student, folder)
        (folder / "copy.safetensors").unlink()
        return exported

    monkeypatch.setattr(tiny.Copy, "export", forgets)
    with pytest.raises(NfcoreError, match=r"says that it wrote 'copy.safetensors', and did not"):
        export(student, copier(), tmp_path / "copy")


# -- what is compared --------------------------------------------------------------------------------


def test_at_least_eight_poses_are_compared_whatever_the_student_brings(student):
    assert len(student.cameras) == 2
    subject = Subject(student)
    assert len(subject.cameras) == POSES
    assert torch.equal(subject.cameras.poses[:2], student.cameras.poses)
    eyes = subject.cameras.poses[:, :, 3]
    # On the ring the cameras are 3.5 from the middle: so are those that were added.
    assert eyes.norm(dim=1).tolist() == pytest.approx([3.5] * POSES, abs=1e-3)
    assert len({tuple(eye) for eye in eyes.mul(1e3).round().tolist()}) == POSES


def test_where_photos_are_at_hand_both_are_held_against_them_at_the_same_poses(tmp_path, student):
    views = tiny.Ring(tiny.Ring.Options(test=12)).views("test")
    subject = Subject(student, photos=views)
    assert torch.equal(subject.cameras.poses, views.cameras.poses[[0, 1, 3, 4, 6, 7, 9, 10]])
    manifest = export(subject, copier(error=0.01, max_error=1.0, psnr=30.0), tmp_path / "copy")
    photos = views.images[[0, 1, 3, 4, 6, 7, 9, 10]].permute(0, 3, 1, 2)
    ours = student.render(subject.cameras)
    assert manifest.photos is not None
    assert manifest.photos.photos == 8
    assert manifest.photos.torch_psnr == pytest.approx(float(psnr(ours, photos).mean()), abs=1e-4)
    theirs = (ours + 0.01).clamp(0, 1)
    assert manifest.photos.psnr == pytest.approx(float(psnr(theirs, photos).mean()), abs=1e-4)
    assert manifest.parity is not None
    assert manifest.parity.least_psnr == pytest.approx(40, abs=0.01)
    assert manifest.parity.max_error == pytest.approx(0.01, abs=1e-6)
    assert manifest.not_verified == ()


def test_without_photos_the_manifest_says_why_they_are_missing(tmp_path, student):
    manifest = export(Subject(student, photos="they are in Jena"), copier(), tmp_path / "copy")
    assert manifest.photos is None
    assert manifest.not_verified == ("PSNR against photos: they are in Jena",)


@pytest.mark.parametrize(("there", "left"), [(3, [0, 1, 2]), (8, [0, 2, 4, 6]), (10, [0, 2, 5, 7])])
def test_evenly_spaced_cameras_keep_their_order(there, left):
    seen = tiny.cameras(torch.eye(3, 4).repeat(there, 1, 1))
    seen.poses[:, 0, 3] = torch.arange(there)
    assert evenly_spaced(seen, 4).poses[:, 0, 3].tolist() == left


# -- the manifest ------------------------------------------------------------------------------------


@pytest.fixture
def from_file(tmp_path, student, manager) -> Subject:
    """A student that was loaded from its file, as the command line has it."""
    student.save(tmp_path / "student.safetensors", manager)
    return Subject(student, file=tmp_path / "student.safetensors", scene="ring", components=manager)


def test_the_manifest_says_what_was_exported_by_what_to_which_files(tmp_path, from_file, student):
    before = datetime.now(UTC).replace(microsecond=0)
    made = export(from_file, copier(error=5e-7), tmp_path / "copy")
    manifest = Manifest.read(tmp_path / "copy")
    assert manifest == made
    assert manifest.label == "copy"
    assert before <= manifest.created <= datetime.now(UTC)
    assert manifest.student.sha256 == sha256(tmp_path / "student.safetensors")
    assert (manifest.student.file, manifest.student.scene) == ("student.safetensors", "ring")
    assert (manifest.student.encoding, manifest.student.backbone) == ("tiny-dist/directions", "tiny-dist/mixing")
    assert manifest.student.parameters == sum(p.numel() for p in student.parameters())
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
    assert (content.path, content.bytes, content.sha256) == (file.name, file.bytes, sha256(written))
    assert file.bytes == written.stat().st_size == manifest.bytes
    assert (manifest.floor.psnr, manifest.floor.max_error) == (60.0, 1e-6)
    assert set(manifest.seconds) == {"export", "load", "compare"}
    manifest.check_contents(tmp_path / "copy")


def test_a_student_in_memory_of_classes_that_no_plugin_offers_is_named_by_them(tmp_path, student):
    manifest = export(student, copier(), tmp_path / "copy")
    assert (manifest.student.file, manifest.student.sha256) == (None, None)
    assert manifest.student.encoding == "tiny:Directions"
    assert (manifest.exporter.name, manifest.exporter.version) == ("tiny:Copy", None)


def test_the_same_student_gives_the_same_bytes_but_for_the_times(tmp_path, from_file):
    written = []
    for place in ("one", "two"):
        export(from_file, copier(), tmp_path / place / "copy")
        values = json.loads((tmp_path / place / "copy" / "manifest.json").read_text())
        times = values.pop("created"), values.pop("seconds")
        assert all(times)
        written.append(json.dumps(values))
    assert written[0] == written[1]
    assert (tmp_path / "one/copy/picture.png").read_bytes() == (tmp_path / "two/copy/picture.png").read_bytes()


@pytest.fixture
def delivered(tmp_path, student) -> Path:
    export(student, copier(), tmp_path / "exports" / "copy")
    return tmp_path / "exports" / "copy"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.pop("files"), "damaged manifest: files: Field required"),
        (lambda v: v["contents"][0].update(sha256="no"), "damaged manifest: contents.0.sha256"),
        (lambda v: v.update(more=1), "damaged manifest: more: Extra inputs are not permitted"),
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
    with pytest.raises(UserError, match=r"copy\.safetensors: not the file that manifest\.json speaks of"):
        manifest.check_contents(delivered)
    path.unlink()
    with pytest.raises(UserError, match=r"copy\.safetensors: missing"):
        manifest.check_contents(delivered)


def test_a_runs_exports_are_found_by_their_manifests_and_rejected_ones_are_not(tmp_path, student):
    for label in ("b", "a"):
        export(student, copier(), tmp_path / label)
    with pytest.raises(ExportRejectedError):
        export(student, copier(error=0.1), tmp_path / "c")
    (tmp_path / "old").mkdir()  # of an nfcore that wrote no manifests
    assert [(folder.name, manifest.label) for folder, manifest in manifests(tmp_path)] == [("a", "a"), ("b", "b")]


# -- the model card ----------------------------------------------------------------------------------


def test_the_card_says_how_to_call_it_what_was_measured_and_what_was_not(tmp_path, from_file):
    views = tiny.Ring(tiny.Ring.Options(test=8)).views("test")
    subject = Subject(from_file.student, file=from_file.file, scene="ring", photos=views)
    manifest = export(subject, copier(error=5e-7), tmp_path / "copy")
    text = (tmp_path / "copy" / "README.md").read_text()
    assert text == card(manifest)
    assert text.startswith("---\nlibrary_name: nfcore\n")
    assert "# ring: torch, fp32" in text
    assert "| in | `pose` | batch x 3 x 4 | float32 | camera to world, OpenGL axes" in text
    assert "| out | `image` | batch x 3 x 16 x 16 | float32 | RGB in [0, 1], top row first |" in text
    assert manifest.parity is not None
    assert manifest.photos is not None
    assert f"| greatest difference of a colour in [0, 1] | {manifest.parity.max_error:.1e} |" in text
    assert f"| {manifest.photos.psnr:.2f} dB |" in text
    assert "Not verified" not in text
    assert manifest.contents[0].sha256[:12] in text


def test_the_card_lists_what_was_not_verified_and_what_the_exporter_found(tmp_path, student, monkeypatch):
    write = tiny.Copy.export

    def reporting(self, student, folder):
        found = {"ops": {"conv": 3, "gelu": 1}, "leave the engine": [], "dynamic": False}
        silent = ("speed on a telephone: there is none here",)
        return replace(write(self, student, folder), unverified=silent, report=found)

    monkeypatch.setattr(tiny.Copy, "export", reporting)
    manifest = export(student, copier(), tmp_path / "copy")
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "- Not verified: speed on a telephone: there is none here." in text
    assert "- Not verified: PSNR against photos: a student's file brings no photos." in text
    assert "- ops:\n  - conv: 3\n  - gelu: 1\n- leave the engine: none\n- dynamic: no" in text
    assert manifest.report["ops"] == {"conv": 3, "gelu": 1}


def test_the_picture_shows_torch_and_the_export_side_by_side(tmp_path, student):
    export(student, copier(error=0.25), tmp_path / "copy", floor=5.0)
    picture = Image.open(tmp_path / "copy" / "picture.png")
    width, height = picture.size
    assert width == 2 * height
    halves = [picture.crop((left, 0, left + height, height)).resize((16, 16)) for left in (0, height)]
    ours, theirs = (np.asarray(half).mean() / 255 for half in halves)
    assert theirs - ours == pytest.approx(0.25, abs=0.01)
