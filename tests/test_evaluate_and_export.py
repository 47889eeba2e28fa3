"""Figures are those of what was measured, and no export is delivered that differs from torch."""

from __future__ import annotations

import pytest
import tiny
import torch

from nfcore import NfcoreError, Reporter, Runner
from nfcore.metrics import psnr, ssim
from nfcore.pipeline import ExportReport, evaluate_student, evaluate_teacher, export
from nfcore.pipeline.export import evenly_spaced

# -- evaluation --------------------------------------------------------------------------------------


class Steps(Reporter):
    def __init__(self) -> None:
        self.steps: list[int] = []

    def start(self, total, unit="step"):
        self.total, self.unit = total, unit

    def step(self, step, **scalars):
        self.steps.append(step)


def test_a_students_scores_are_those_of_its_images_view_by_view():
    views = tiny.Ring(tiny.Ring.Options(test=3)).views("test")
    student = tiny.student()
    steps = Steps()
    quality = evaluate_student(student, views, steps)
    images, truth = student.render(views.cameras), views.images.permute(0, 3, 1, 2)
    assert quality.psnr == pytest.approx(psnr(images, truth).tolist(), rel=1e-5)
    assert quality.ssim == pytest.approx(ssim(images, truth).tolist(), rel=1e-4)
    assert quality.names == ("test0", "test1", "test2")
    assert quality.mean == {"psnr": sum(quality.psnr) / 3, "ssim": sum(quality.ssim) / 3}
    assert (steps.total, steps.unit, steps.steps) == (3, "view", [1, 2, 3])


def test_a_teacher_that_knows_the_scene_scores_high_and_a_darker_one_as_low_as_it_is():
    views = tiny.Ring(tiny.Ring.Options()).views("test")
    perfect, dark = (evaluate_teacher(tiny.fitted_teacher(gain=gain), views) for gain in (1.0, 0.5))
    assert min(perfect.psnr) > 60
    # half as bright: the error is half the image
    half = (views.images / 2).square().mean((1, 2, 3))
    assert dark.psnr == pytest.approx((-10 * half.log10()).tolist(), rel=1e-4)


# -- exports -----------------------------------------------------------------------------------------


@pytest.fixture
def student():
    return tiny.student()


def copier(**options) -> tiny.Copy:
    return tiny.Copy(tiny.Copy.Options(**options))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_an_exact_export_is_delivered_with_what_was_measured(tmp_path, student):
    report = export(student, copier(), tmp_path / "exports" / "copy")
    assert files(tmp_path) == ["exports", "exports/copy", "exports/copy/copy.safetensors"]
    size = (tmp_path / "exports" / "copy" / "copy.safetensors").stat().st_size
    # bit-equal images count as 140 dB, which is what a float32 can tell
    assert report == ExportReport(size, "a copy", None, 140.0, 0.0)


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
    with pytest.raises(NfcoreError) as error:
        export(tiny.student(seed=1), copier(**options), exports / "copy")
    assert reason in str(error.value)
    assert str(exports / "rejected" / "copy") in str(error.value)
    assert (exports / "copy" / "copy.safetensors").read_bytes() == good
    assert (exports / "rejected" / "copy" / "copy.safetensors").is_file()
    assert files(exports) == [
        "copy",
        "copy/copy.safetensors",
        "rejected",
        "rejected/copy",
        "rejected/copy/copy.safetensors",
    ]


def test_a_second_rejected_export_replaces_the_first(tmp_path, student):
    for _ in range(2):
        with pytest.raises(NfcoreError, match="differs from torch"):
            export(student, copier(error=0.1), tmp_path / "copy")
    assert files(tmp_path) == ["rejected", "rejected/copy", "rejected/copy/copy.safetensors"]


def nan(images):
    return images * float("nan")


def cropped(images):
    return images[..., 1:]


@pytest.mark.parametrize("spoil", [nan, cropped])
def test_an_export_that_renders_nonsense_is_refused(tmp_path, student, spoil, monkeypatch):
    load = tiny.Copy.load

    def spoiled(self, folder):
        runner = load(self, folder)
        return Runner("nonsense", lambda *camera: spoil(runner.render(*camera)))

    monkeypatch.setattr(tiny.Copy, "load", spoiled)
    with pytest.raises(NfcoreError, match="differs from torch"):
        export(student, copier(psnr=60.0), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_export_that_can_not_be_run_here_is_delivered_without_parity(tmp_path, student):
    report = export(student, copier(runs_here=False), tmp_path / "copy")
    assert (tmp_path / "copy" / "copy.safetensors").is_file()
    assert report.figures() == {"bytes": report.bytes, "not_verified": "it takes a telephone"}


def test_an_exporter_that_raises_leaves_the_old_export(tmp_path, student, monkeypatch):
    export(student, copier(), tmp_path / "copy")

    def fails(self, student, folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny.Copy, "export", fails)
    with pytest.raises(OSError, match="No space left"):
        export(student, copier(), tmp_path / "copy")
    assert files(tmp_path) == ["copy", "copy/copy.safetensors"]


def test_figures_leave_out_what_was_not_measured():
    assert ExportReport(7, verified_by="x", psnr_vs_torch=50.0, max_error=0.0).figures() == {
        "bytes": 7,
        "verified_by": "x",
        "psnr_vs_torch": 50.0,
        "max_error": 0.0,
    }


@pytest.mark.parametrize(("there", "left"), [(3, [0, 1, 2]), (8, [0, 2, 4, 6]), (10, [0, 2, 5, 7])])
def test_evenly_spaced_cameras_keep_their_order(there, left):
    seen = tiny.cameras(torch.eye(3, 4).repeat(there, 1, 1))
    seen.poses[:, 0, 3] = torch.arange(there)
    assert evenly_spaced(seen, 4).poses[:, 0, 3].tolist() == left
