"""No export is delivered that differs from torch by more than its tolerance."""

from __future__ import annotations

import pytest
import tiny
import torch

from nfcore import NfcoreError, Runner, Tolerance
from nfcore.evaluation.metrics import psnr
from nfcore.exports.manifest import Manifest
from nfcore.exports.reference import POSES, evenly_spaced
from nfcore.pipeline import ExportRejectedError, Reference, export

FROM_THE_CORE = ["README.md", "manifest.json", "picture.png"]


@pytest.fixture
def student():
    return tiny.student()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def whole(prefix=""):
    return [f"{prefix}{name}" for name in (*FROM_THE_CORE[:1], "copy.safetensors", *FROM_THE_CORE[1:])]


# -- what is delivered, and what is not --------------------------------------------------------------


def test_an_exact_export_is_delivered_with_what_was_measured(tmp_path, student):
    manifest = export(student, tiny.copier(), tmp_path / "exports" / "copy")
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
        ({"error": 0.01, "max_error": 1.0}, "differs from torch: 40.0 dB where at least 60.0 are required"),
    ],
)
def test_an_export_beyond_its_tolerance_is_kept_apart_and_the_good_one_stays(tmp_path, student, options, reason):
    exports = tmp_path / "exports"
    export(student, tiny.copier(), exports / "copy")
    good = (exports / "copy" / "copy.safetensors").read_bytes()
    with pytest.raises(ExportRejectedError) as error:
        export(tiny.student(seed=1), tiny.copier(**options), exports / "copy")
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
            export(student, tiny.copier(error=0.1), tmp_path / "copy")
    assert files(tmp_path) == whole("rejected/copy/")


def test_an_export_that_succeeds_takes_the_rejected_one_away(tmp_path, student):
    with pytest.raises(ExportRejectedError):
        export(student, tiny.copier(error=0.1), tmp_path / "copy")
    export(student, tiny.copier(), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(("required", "passes"), [(39.0, True), (41.0, False)])
def test_what_a_user_requires_replaces_the_exporters_tolerance(tmp_path, student, required, passes):
    exporter = tiny.copier(error=0.01)  # 40 dB, where the exporter asks for 60 and for differences of 1e-6
    if passes:
        manifest = export(student, exporter, tmp_path / "copy", required_psnr=required)
        assert manifest.tolerance == Tolerance(psnr=required)
    else:
        with pytest.raises(ExportRejectedError, match=r"40\.0 dB where at least 41\.0 are required"):
            export(student, exporter, tmp_path / "copy", required_psnr=required)


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
        export(student, tiny.copier(psnr=60.0), tmp_path / "copy")
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
        export(student, tiny.copier(), tmp_path / "copy")
    assert (tmp_path / "rejected" / "copy" / "copy.safetensors").read_bytes() == b"nothing"
    manifest = Manifest.read(tmp_path / "rejected" / "copy")
    assert manifest.figures() == {"bytes": 7, "precision": "fp32"}


def test_an_export_that_can_not_be_run_here_is_delivered_without_parity(tmp_path, student):
    manifest = export(student, tiny.copier(runs_here=False), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")
    figures = manifest.figures()
    assert figures == {"bytes": manifest.bytes, "precision": "fp32", "not_verified": "it takes a telephone"}
    assert (manifest.verified_by, manifest.parity, manifest.photos) == (None, None, None)
    assert "This export was not run" in (tmp_path / "copy" / "README.md").read_text()


def test_an_exporter_that_raises_leaves_the_old_export(tmp_path, student, monkeypatch):
    export(student, tiny.copier(), tmp_path / "copy")

    def fails(self, student, folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny.Copy, "export", fails)
    with pytest.raises(OSError, match="No space left"):
        export(student, tiny.copier(), tmp_path / "copy")
    assert files(tmp_path) == whole("copy/")


def test_an_exporter_writes_what_it_names_and_nothing_that_the_core_writes(tmp_path, student, monkeypatch):
    write = tiny.Copy.export

    def takes_the_card(self, student, folder):
        (folder / "README.md").write_text("mine")
        return write(self, student, folder)

    monkeypatch.setattr(tiny.Copy, "export", takes_the_card)
    with pytest.raises(NfcoreError, match=r"Copy breaks exporter\.core-names .*'README\.md'"):
        export(student, tiny.copier(), tmp_path / "copy")

    def forgets(self, student, folder):
        exported = write(self, student, folder)
        (folder / "copy.safetensors").unlink()
        return exported

    monkeypatch.setattr(tiny.Copy, "export", forgets)
    with pytest.raises(NfcoreError, match=r"Copy breaks exporter\.files .*'copy\.safetensors'"):
        export(student, tiny.copier(), tmp_path / "copy")


# -- what is compared --------------------------------------------------------------------------------


def test_at_least_eight_poses_are_compared_whatever_the_student_brings(student):
    assert len(student.cameras) == 2
    reference = Reference(student)
    assert len(reference.cameras) == POSES
    assert torch.equal(reference.cameras.poses[:2], student.cameras.poses)
    eyes = reference.cameras.poses[:, :, 3]
    # On the ring the cameras are 3.5 from the middle: so are those that were added.
    assert eyes.norm(dim=1).tolist() == pytest.approx([3.5] * POSES, abs=1e-3)
    assert len({tuple(eye) for eye in eyes.mul(1e3).round().tolist()}) == POSES


def test_where_photos_are_at_hand_both_are_compared_with_them_at_the_same_poses(tmp_path, student):
    views = tiny.Ring(tiny.Ring.Options(test=12)).views("test")
    reference = Reference(student, photos=views)
    assert torch.equal(reference.cameras.poses, views.cameras.poses[[0, 1, 3, 4, 6, 7, 9, 10]])
    manifest = export(reference, tiny.copier(error=0.01, max_error=1.0, psnr=30.0), tmp_path / "copy")
    photos = views.images[[0, 1, 3, 4, 6, 7, 9, 10]].permute(0, 3, 1, 2)
    ours = student.render(reference.cameras)
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
    manifest = export(Reference(student, photos="they are in Jena"), tiny.copier(), tmp_path / "copy")
    assert manifest.photos is None
    assert manifest.not_verified == ("PSNR against photos: they are in Jena",)


@pytest.mark.parametrize(("there", "left"), [(3, [0, 1, 2]), (8, [0, 2, 4, 6]), (10, [0, 2, 5, 7])])
def test_evenly_spaced_cameras_keep_their_order(there, left):
    seen = tiny.cameras(torch.eye(3, 4).repeat(there, 1, 1))
    seen.poses[:, 0, 3] = torch.arange(there)
    assert evenly_spaced(seen, 4).poses[:, 0, 3].tolist() == left
