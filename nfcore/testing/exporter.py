"""What any exporter must satisfy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from nfcore.errors import UserError
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.exports.parity import compare
from nfcore.exports.reference import Reference
from nfcore.interfaces import Exported, Runner, Tolerance, VerificationUnavailable
from nfcore.options import parse
from nfcore.plugin.components import Kind
from nfcore.student.light_field import LightField
from nfcore.testing.base import Conformance, is_short
from nfcore.testing.contract import Broken, describe, once, require, sentence
from nfcore.testing.student import tiny_student

#: A tolerance beyond both of these would let a wrong export pass: 30 dB is a visible difference.
LEAST_PSNR, GREATEST_ERROR = 30.0, 0.1


@dataclass(frozen=True)
class Export:
    """A student, where its files lie and what the exporter says of them."""

    student: LightField
    folder: Path
    exported: Exported


class ExporterConformance(Conformance):
    """Standard tests of an exporter. What this platform can't run is skipped, with the exporter's own reason."""

    kind: ClassVar[Kind] = "exporter"

    def export(self, folder: Path) -> Export:
        """Write a tiny student into ``folder``."""
        torch.manual_seed(0)
        student = tiny_student()
        folder.mkdir()
        return Export(student, folder, self.build().export(student, folder))

    @once
    def exported(self) -> Export:
        """One export for all tests that only run it."""
        return self.export(self.made["data"] / "export")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Return the files loaded by a new exporter; skip the test where this platform can't run them."""
        try:
            runner = self.build().load(folder, threads)
        except VerificationUnavailable as why:
            reason = str(why).strip()
            require(
                reason, found="VerificationUnavailable without a text", right="why this platform can't run them"
            )
            pytest.skip(f"can't be verified here: {reason}")
        if not isinstance(runner, Runner):
            raise Broken(f"found: load gives a {type(runner).__name__}\nright: an nfcore.Runner")
        return runner

    @sentence("into the empty ``folder`` and say what they are.")
    def test_it_writes_into_the_folder_and_nowhere_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither beside it nor into the current folder."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        self.export(self.folder / "export")
        written = [path for path in (self.folder / "export").rglob("*") if path.is_file()]
        require(written, found="no file in the folder", right="the files of the target")
        stray = sorted(path.name for place in (self.folder, elsewhere) for path in place.iterdir())
        others = [name for name in stray if name not in ("export", "elsewhere")]
        require(not others, found=f"{', '.join(others)} outside of the folder", right="all files in it")

    @sentence("A student that is exported is left as it was.")
    def test_it_leaves_the_student_as_it_was(self) -> None:
        """Its weights, their type, and whether it is training."""
        student = tiny_student().train()
        before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
        folder = self.folder / "export"
        folder.mkdir()
        self.build().export(student, folder)
        after = student.state_dict()
        changed = [
            name
            for name, tensor in before.items()
            if name not in after or after[name].dtype != tensor.dtype or not torch.equal(after[name], tensor)
        ]
        require(
            not changed and before.keys() == after.keys(),
            found=f"other {', '.join(changed[:3]) or 'tensors'}",
            right="work on nfcore.DeployedLightField(student), which is a copy",
        )
        require(
            all(module.training for module in student.modules()),
            found="a student that was training is in eval mode",
            right="work on nfcore.DeployedLightField(student), which is a copy",
        )

    @sentence("What an exporter wrote.")
    def test_it_says_what_it_wrote(self) -> None:
        """The files by name, what goes in and what comes out; who has the files alone relies on it."""
        exported, folder = self.exported().exported, self.exported().folder
        if not isinstance(exported, Exported):
            raise Broken(f"found: export gives a {type(exported).__name__}\nright: an nfcore.Exported")
        missing = [file.name for file in exported.files if not (folder / file.name).exists()]
        require(
            exported.files and not missing,
            found=f"{', '.join(missing) or 'no file'} described",
            right="each file that it wrote, by its path in the folder",
        )
        require(
            all(file.inputs and file.outputs for file in exported.files)
            and exported.precision
            and exported.target,
            found=f"{exported}",
            right="inputs and outputs of each file, the precision and the target",
        )

    @sentence("The core writes ``manifest.json``, ``README.md`` and ``picture.png`` next to them.")
    def test_it_leaves_the_names_of_the_core_alone(self) -> None:
        """The core would refuse the export."""
        taken = [name for name in OF_THE_CORE if (self.exported().folder / name).exists()]
        require(not taken, found=f"{', '.join(taken)} written by the exporter", right="another name")

    @sentence("what ``export`` wrote; it may hold other files too.")
    def test_its_files_run_with_the_cores_beside_them(self) -> None:
        """As they lie in any export that is delivered."""
        exported = self.exported()
        camera = exported.student.cameras[0]
        added = [path for name in OF_THE_CORE if not (path := exported.folder / name).exists()]
        try:
            for path in added:
                path.write_text("the core's")
            image = self.load(exported.folder).render(camera.poses, camera.intrinsics)
        except UserError as error:
            raise Broken(f"found: {describe(error)}\nright: an image, from the files that it wrote") from error
        finally:
            for path in added:
                path.unlink()
        require(image.numel(), found="no image", right="an image, from the files that it wrote")

    @sentence("in the order in which they run; what is no model, such as a licence, is left out.")
    def test_the_image_comes_out_of_the_last_file_that_it_names(self) -> None:
        """Of the size that the student has, or of a free one."""
        exported = self.exported()
        cameras = exported.student.cameras
        shapes = [port.shape for port in exported.exported.files[-1].outputs]
        size = {cameras.height, cameras.width}
        require(
            any(
                size <= set(shape) or sum(isinstance(side, str) for side in shape) >= len(size) for shape in shapes
            ),
            found=f"outputs of the shapes {shapes}",
            right=f"an image of {cameras.height} x {cameras.width}, or names for free axes",
        )

    @sentence("Return option sets that differ in size and in what they lose, the most exact first.")
    def test_its_variants_are_options_that_it_takes(self) -> None:
        """There is at least one, and ``nfcore shrink`` can build each."""
        cls = type(self.build())
        variants = cls.variants()
        require(variants, found="no variant", right="at least ({},)")
        for variant in variants:
            try:
                parse(cls.Options, variant, "variant")
            except UserError as error:
                raise Broken(f"found: {error}\nright: options of {cls.__name__}") from error

    @sentence("Return what the target's compression to ``bits`` per weight makes of a layer's ``weight``.")
    def test_fewer_bits_round_a_weight_more(self) -> None:
        """Asked for each of its ``bits``; an exporter without them is not asked."""
        exporter = self.build()
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(16, 16, 1, 1, generator=generator)
        errors = []
        for bits in sorted(exporter.bits):
            rounded = exporter.rounded(weight, bits)
            require(
                rounded.shape == weight.shape,
                found=f"a weight of {tuple(rounded.shape)} at {bits} bits",
                right=f"{tuple(weight.shape)}, the shape of what was given",
            )
            errors.append(float((rounded - weight).square().mean()))
        require(
            errors == sorted(errors, reverse=True),
            found=f"mean squared errors {errors} at {sorted(exporter.bits)} bits",
            right="less with more bits",
        )

    @sentence("of the CPU to run with, where it runs on one")
    def test_its_files_run_with_one_thread(self) -> None:
        """And give the same picture."""
        exported = self.exported()
        camera = exported.student.cameras[0]
        images = [self.load(exported.folder, n).render(camera.poses, camera.intrinsics) for n in (None, 1)]
        difference = float((images[0] - images[1]).abs().max())
        require(difference < GREATEST_ERROR, found=f"differences up to {difference:.2g}", right="the same picture")

    @sentence("Load what ``export`` wrote, from the files alone.")
    def test_its_files_run_from_another_folder(self) -> None:
        """By an exporter that has not seen the student, when the folder of the export is gone."""
        exported, elsewhere = self.exported(), self.folder / "moved"
        camera = exported.student.cameras[0]
        shutil.move(exported.folder, elsewhere)
        try:
            image = self.load(elsewhere).render(camera.poses, camera.intrinsics)
        finally:
            shutil.move(elsewhere, exported.folder)
        require(
            image.numel(), found="no image", right="an image, from files that hold no path and need nothing else"
        )

    @sentence("to RGB (b, 3, H, W) float32.")
    def test_its_runner_renders_float32_images_of_any_number_of_cameras(self) -> None:
        """One by one if the target knows no batches."""
        exported = self.exported()
        runner = self.load(exported.folder)
        for n in (1, 3):
            cameras = exported.student.cameras[:n]
            image = runner.render(cameras.poses, cameras.intrinsics)
            right = (n, 3, cameras.height, cameras.width)
            require(
                tuple(image.shape) == right and image.dtype == torch.float32,
                found=f"{tuple(image.shape)} of {image.dtype} for {n} cameras",
                right=f"{right} of torch.float32",
            )

    @sentence("How far exported files may be from torch; an export that is farther has failed.")
    def test_its_files_are_within_its_tolerance(self) -> None:
        """Seen by cameras one of which the exporter had for an example."""
        exported = self.exported()
        runner = self.load(exported.folder)
        tolerance = self.tolerance
        parity = compare(Reference(exported.student), runner).parity
        require(
            parity.least_psnr >= tolerance.psnr and parity.max_error <= tolerance.max_error,
            found=f"{parity.least_psnr:.1f} dB and differences up to {parity.max_error:.2g} against torch",
            right=f"at least {tolerance.psnr:g} dB and at most {tolerance.max_error:g}, its own tolerance",
        )

    @property
    def tolerance(self) -> Tolerance:
        """The exporter's tolerance."""
        tolerance: Tolerance = self.build().tolerance
        return tolerance

    @sentence("How far these files may be from torch, at the precision that the options ask for.")
    def test_its_tolerance_asks_for_something(self) -> None:
        """One that anything is within verifies nothing."""
        tolerance = self.tolerance
        require(
            tolerance.psnr >= LEAST_PSNR or tolerance.max_error <= GREATEST_ERROR,
            found=f"{tolerance}",
            right=f"psnr of at least {LEAST_PSNR:g} dB or max_error of at most {GREATEST_ERROR:g}",
        )

    @sentence("what runs them, for reports: a runtime with its version, or an evaluator and its limits.")
    def test_its_runner_says_what_it_is(self) -> None:
        """A report without it would claim more than was measured."""
        verified_by = self.load(self.exported().folder).verified_by
        require(
            isinstance(verified_by, str) and verified_by.strip(),
            found=f"{verified_by!r}",
            right="what ran the files",
        )

    @sentence("Files that are missing or damaged are refused with a UserError.")
    def test_missing_files_are_a_clear_error(self) -> None:
        """Such as an export that was only half copied."""
        empty = self.folder / "empty"
        empty.mkdir()
        _require_refused(lambda: self.build().load(empty), "an empty folder")

    @sentence("Files that are missing or damaged are refused with a UserError.")
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
        camera = exported.student.cameras[0]

        def run() -> None:
            self.build().load(damaged).render(camera.poses, camera.intrinsics)

        _require_refused(run, f"{largest.name} cut in half")


def _require_refused(run: Callable[[], object], what: str) -> None:
    try:
        run()
    except VerificationUnavailable as why:
        pytest.skip(f"can't be verified here: {why}")
    except UserError as error:
        require(is_short(error), found=f"{str(error)!r}", right="one or two lines that name the file")
    except Exception as error:
        raise Broken(f"found: {what} gives {describe(error)}\nright: a UserError that names the file") from error
    else:
        raise Broken(f"found: {what} is loaded and run\nright: a UserError that names the file")
