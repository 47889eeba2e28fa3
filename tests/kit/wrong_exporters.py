"""For each rule of exporters, one that breaks it and no other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

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


class HidesItsTarget(right.Exporter):
    def export(self, student, folder) -> Exported:
        return replace(super().export(student, folder), target="")


class RunnerOfItsOwn(right.Exporter):
    def load(self, folder, threads=None):
        return SimpleNamespace(**vars(super().load(folder, threads)))


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


class AnythingGoes(right.Exporter):
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
    "exporter.folder-only": LeavesALog,
    "exporter.model-unchanged": ChangesTheStudent,
    "exporter.exported": HidesItsTarget,
    "exporter.files": NamesNoFile,
    "exporter.runner": RunnerOfItsOwn,
    "exporter.core-names": TakesTheCard,
    "exporter.core-files": AloneInItsFolder,
    "exporter.last-file": NamesAnotherSize,
    "exporter.variants": OffersWhatItDoesNotTake,
    "exporter.bits": RoundsMoreToMoreBits,
    "exporter.movable": KnowsItsPlace,
    "exporter.threads": BoundToItsThreads,
    "exporter.render": OneCamera,
    "exporter.parity": Darker,
    "exporter.tolerance": AnythingGoes,
    "exporter.verified-by": SaysNothing,
    "exporter.missing-files": RawErrorIfMissing,
    "exporter.damaged-files": RawErrorIfDamaged,
}
KIT, RIGHT = ExporterConformance, right.Exporter
