"""The standard tests of exporters."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.exports.parity import compare, shortfall
from nfcore.exports.reference import Reference
from nfcore.interfaces import Runner, Tolerance, VerificationUnavailable
from nfcore.scene.cameras import Cameras
from nfcore.testing.base import require_short
from nfcore.testing.contract import Broken, described, require, require_finite, require_type, rule
from nfcore.testing.file_rules import FileRules

#: A tolerance beyond both of these would let a wrong export pass: 30 dB is a visible difference.
# A mesh, which has one colour for all directions, is about 20 dB from its teacher; an empty image 10.
LEAST_PSNR, GREATEST_ERROR = 15.0, 0.1


class ExporterConformance(FileRules):
    """Standard tests of an exporter. What this platform can't run is skipped, with the exporter's own reason."""

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Return the files, loaded by a new exporter; skip the test if this platform can't run them."""
        try:
            runner: Runner = self.build().load(folder, threads)
        except VerificationUnavailable as why:
            reason = str(why).strip()
            require(
                reason, found="VerificationUnavailable without a text", right="why this platform can't run them"
            )
            pytest.skip(f"can't be verified here: {reason}")
        require_type(runner, Runner, "load returns", "exporter.runner")
        return runner

    def rendered(self, folder: Path, cameras: Cameras, threads: int | None = None) -> Tensor:
        """Return the files' images at ``cameras``; values that are not finite break ``exporter.render``."""
        image = self.load(folder, threads).render(cameras.poses, cameras.intrinsics)
        require_finite(image, "image", "exporter.render")
        return image

    @rule("exporter.runner")
    def test_it_loads_an_nfcore_runner(self) -> None:
        """A class that only looks similar breaks as soon as runners grow."""
        self.load(self.exported().folder)

    @rule("exporter.core-files")
    def test_its_files_run_with_those_of_the_core(self) -> None:
        """Every delivered export has those."""
        exported = self.exported()
        added = [path for name in OF_THE_CORE if not (path := exported.folder / name).exists()]
        try:
            for path in added:
                path.write_text("the core's")
            image = self.rendered(exported.folder, exported.model.cameras[:1])
        except UserError as error:
            raise Broken(described(error, self.cls), "an image, from the files that it wrote") from error
        finally:
            for path in added:
                path.unlink()
        require(image.numel(), found="no image", right="an image, from the files that it wrote")

    @rule("exporter.threads")
    def test_its_files_run_with_one_thread(self) -> None:
        """The image is the same."""
        exported = self.exported()
        images = [self.rendered(exported.folder, exported.model.cameras[:1], n) for n in (None, 1)]
        difference = float((images[0] - images[1]).abs().max())
        require(difference < GREATEST_ERROR, found=f"differences up to {difference:.2g}", right="the same picture")

    @rule("exporter.movable")
    def test_its_files_run_from_another_folder(self) -> None:
        """They are loaded by an exporter that has not seen the student, after the export's folder was removed."""
        exported, elsewhere = self.exported(), self.folder / "moved"
        shutil.move(exported.folder, elsewhere)
        try:
            image = self.rendered(elsewhere, exported.model.cameras[:1])
        finally:
            shutil.move(elsewhere, exported.folder)
        require(
            image.numel(), found="no image", right="an image, from files that hold no path and need nothing else"
        )

    @rule("exporter.render")
    def test_its_runner_renders_float32_images_of_any_number_of_cameras(self) -> None:
        """They are finite; one by one if the target has no batches."""
        exported = self.exported()
        for n in (1, 3):
            cameras = exported.model.cameras[:n]
            image = self.rendered(exported.folder, cameras)
            right = (n, 3, cameras.height, cameras.width)
            require(
                tuple(image.shape) == right and image.dtype == torch.float32,
                found=f"{tuple(image.shape)} of {image.dtype} for {n} cameras",
                right=f"{right} of torch.float32",
            )

    @rule("exporter.parity")
    def test_its_files_are_within_its_tolerance(self) -> None:
        """Measured at several cameras, only one of which was the exporter's example."""
        exported = self.exported()
        self.rendered(exported.folder, exported.model.cameras)
        tolerance = self.tolerance
        parity = compare(Reference(exported.model), self.load(exported.folder)).parity
        require(
            shortfall(parity, tolerance) is None,
            found=f"{parity.least_psnr:.1f} dB and differences up to {parity.max_error:.2g} against torch",
            right=f"its own tolerance, {tolerance}",
        )

    @property
    def tolerance(self) -> Tolerance:
        """The exporter's tolerance."""
        tolerance: Tolerance = self.build().tolerance
        return tolerance

    @rule("exporter.tolerance")
    def test_its_tolerance_asks_for_something(self) -> None:
        """A tolerance without limits verifies nothing."""
        tolerance = self.tolerance
        require(
            tolerance.psnr >= LEAST_PSNR or min(tolerance.max_error, tolerance.typical_error) <= GREATEST_ERROR,
            found=f"{tolerance}",
            right=f"psnr of at least {LEAST_PSNR:g} dB or max_error of at most {GREATEST_ERROR:g}",
        )

    @rule("exporter.verified-by")
    def test_its_runner_says_what_it_is(self) -> None:
        """Without it a report would claim more than was measured."""
        verified_by = self.load(self.exported().folder).verified_by
        require(
            isinstance(verified_by, str) and verified_by.strip(),
            found=f"{verified_by!r}",
            right="what ran the files",
        )

    @rule("exporter.missing-files")
    def test_missing_files_are_a_clear_error(self) -> None:
        """An example is an export that was copied incompletely."""
        empty = self.folder / "empty"
        empty.mkdir()
        self.require_refused(lambda: self.build().load(empty), "an empty folder")

    @rule("exporter.damaged-files")
    def test_a_damaged_file_is_a_clear_error(self) -> None:
        """The largest file, cut in half."""
        exported = self.exported()
        damaged = self.folder / "damaged"
        shutil.copytree(exported.folder, damaged)
        largest = max(
            (path for path in damaged.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
        )
        content = largest.read_bytes()
        largest.write_bytes(content[: len(content) // 2])
        camera = exported.model.cameras[0]

        def run() -> None:
            self.build().load(damaged).render(camera.poses, camera.intrinsics)

        self.require_refused(run, f"{largest.name} cut in half")

    def require_refused(self, run: Callable[[], object], what: str) -> None:
        """Break the rule under test unless ``run`` raises a UserError of one or two lines."""
        try:
            run()
        except VerificationUnavailable as why:
            pytest.skip(f"can't be verified here: {why}")
        except UserError as error:
            require_short(error, "one or two lines that name the file")
        except Exception as error:
            found = f"{what} raises {described(error, self.cls)}"
            raise Broken(found, "a UserError that names the file") from error
        else:
            raise Broken(f"{what} is loaded and run", "a UserError that names the file")
