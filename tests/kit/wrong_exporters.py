"""For each standard test of exporters, one that fails it and no other."""

from __future__ import annotations

from dataclasses import replace

import right
from wrong_options import wrong_options

from nfcore import Exported, ExportedFile, Runner, Tolerance, UserError, camera_ports, image_port
from nfcore.testing import ExporterConformance


class LeavesALog(right.Exporter):
    def export(self, student, folder) -> Exported:
        exported = super().export(student, folder)
        (folder.parent / "export.log").write_text("done")
        return exported


class ChangesTheStudent(right.Exporter):
    def export(self, student, folder) -> Exported:
        return super().export(student.eval(), folder)


class KnowsItsPlace(right.Exporter):
    def export(self, student, folder) -> Exported:
        exported = super().export(student, folder)
        (folder / "where").write_text(str(folder))
        return exported

    def load(self, folder, threads=None) -> Runner:
        runner = super().load(folder, threads)
        if (folder / "where").read_text() != str(folder):
            raise UserError(f"{folder}: not where it was written")
        return runner


class NamesNoFile(right.Exporter):
    def export(self, student, folder) -> Exported:
        exported = super().export(student, folder)
        return replace(exported, files=tuple(replace(file, name="other") for file in exported.files))


class BoundToItsThreads(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        if threads:
            raise TypeError("threads")
        return super().load(folder)


class TakesTheCard(right.Exporter):
    def export(self, student, folder) -> Exported:
        (folder / "README.md").write_text("mine")
        return super().export(student, folder)


class AloneInItsFolder(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        if len(list(folder.iterdir())) > 1:
            raise UserError(f"{folder}: more than one file")
        return super().load(folder, threads)


class NamesAnotherSize(right.Exporter):
    def export(self, student, folder) -> Exported:
        exported = super().export(student, folder)
        files = (ExportedFile(self.file, camera_ports(), (image_port(7, 5),)),)
        return replace(exported, files=files)


class OffersWhatItDoesNotTake(right.Exporter):
    @classmethod
    def variants(cls):
        return ({}, {"precision": "fp7"})


class RoundsMoreToMoreBits(right.Exporter):
    bits = (4, 8)

    def rounded(self, weight, bits):
        return (weight * 2 ** (12 - bits)).round() / 2 ** (12 - bits)


class OneCamera(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        runner = super().load(folder, threads)
        return Runner(runner.verified_by, lambda poses, intrinsics: runner.render(poses[:1], intrinsics[:1]))


class Darker(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        runner = super().load(folder, threads)
        return Runner(runner.verified_by, lambda poses, intrinsics: 0.9 * runner.render(poses, intrinsics))


class NoFloor(right.Exporter):
    tolerance = Tolerance()


class SaysNothing(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        return Runner("", super().load(folder, threads).render)


class RawErrorIfMissing(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        (folder / self.file).stat()
        return super().load(folder, threads)


class RawErrorIfDamaged(right.Exporter):
    def load(self, folder, threads=None) -> Runner:
        try:
            return super().load(folder, threads)
        except UserError as error:
            if (folder / self.file).exists():
                raise EOFError from error
            raise


WRONG = {
    **wrong_options(right.Exporter),
    "test_it_writes_into_the_folder_and_nowhere_else": LeavesALog,
    "test_it_leaves_the_student_as_it_was": ChangesTheStudent,
    "test_it_says_what_it_wrote": NamesNoFile,
    "test_it_leaves_the_names_of_the_core_alone": TakesTheCard,
    "test_its_files_run_with_the_cores_beside_them": AloneInItsFolder,
    "test_the_image_comes_out_of_the_last_file_that_it_names": NamesAnotherSize,
    "test_its_variants_are_options_that_it_takes": OffersWhatItDoesNotTake,
    "test_fewer_bits_round_a_weight_more": RoundsMoreToMoreBits,
    "test_its_files_run_from_another_folder": KnowsItsPlace,
    "test_its_files_run_with_one_thread": BoundToItsThreads,
    "test_its_runner_renders_float32_images_of_any_number_of_cameras": OneCamera,
    "test_its_files_are_within_its_tolerance": Darker,
    "test_its_tolerance_asks_for_something": NoFloor,
    "test_its_runner_says_what_it_is": SaysNothing,
    "test_missing_files_are_a_clear_error": RawErrorIfMissing,
    "test_a_damaged_file_is_a_clear_error": RawErrorIfDamaged,
}
KIT, RIGHT = ExporterConformance, right.Exporter
