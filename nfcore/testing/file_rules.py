"""The standard tests of exported files, before they are run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.interfaces import Exported
from nfcore.options import Options, parse
from nfcore.plugin.components import Kind
from nfcore.student.light_field import LightField
from nfcore.testing.base import Conformance
from nfcore.testing.contract import Broken, once, require, require_type, rule
from nfcore.testing.sphere import SCENE, SphereTeacher, cameras_around
from nfcore.testing.student import tiny_student
from nfcore.views.fitted_teacher import FittedTeacher


@dataclass(frozen=True)
class Export:
    """One export and its side effects.

    Args:
        model: the student or teacher that was exported.
        folder: of its files.
        exported: the exporter's description of them.
        stray: names of files that were written elsewhere.
        changed: what is different about the model.

    """

    model: LightField | FittedTeacher
    folder: Path
    exported: Exported
    stray: tuple[str, ...]
    changed: tuple[str, ...]


class FileRules(Conformance):
    """The standard tests of what an exporter writes."""

    kind: ClassVar[Kind] = "exporter"
    settings = Conformance.settings | {"model"}

    def model(self) -> LightField | FittedTeacher:
        """Return the model to export in the tests: a tiny student, or a teacher of a shaded sphere.

        Override it for an exporter that takes only teachers of its own class.
        """
        if type(self.build()).takes == "student":
            return tiny_student()
        return FittedTeacher(SphereTeacher(Options(), SCENE), cameras_around(3, 12, 8))

    @once
    def exported(self) -> Export:
        """One export for all tests, of a model in training mode, from an empty current folder."""
        model = self.model()
        module = model.teacher if isinstance(model, FittedTeacher) else model
        module.train()
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        parent = Path(tempfile.mkdtemp(dir=self.made["data"]))
        folder, elsewhere = parent / "export", parent / "elsewhere"
        folder.mkdir()
        elsewhere.mkdir()
        with contextlib.chdir(elsewhere):
            exported = self.build().export(model, folder)
        require_type(exported, Exported, "export returns", "exporter.exported")
        stray = {path.name for path in (*parent.iterdir(), *elsewhere.iterdir())}
        changed = _changed(before, module.state_dict())
        if not all(part.training for part in module.modules()):
            changed.append("its training mode")
        module.eval()
        return Export(model, folder, exported, tuple(sorted(stray - {"export", "elsewhere"})), tuple(changed))

    @rule("exporter.folder-only")
    def test_it_writes_into_the_folder_and_nowhere_else(self) -> None:
        """Neither to the parent folder nor to the current one."""
        export = self.exported()
        written = [path for path in export.folder.rglob("*") if path.is_file()]
        require(written, found="no file in the folder", right="the files of the target")
        stray = ", ".join(export.stray)
        require(not stray, found=f"{stray} outside of the folder", right="all files in it")

    @rule("exporter.model-unchanged")
    def test_it_leaves_the_model_as_it_was(self) -> None:
        """Its weights, their type, and whether it is training."""
        changed = self.exported().changed
        require(
            not changed,
            found=f"the export changes {', '.join(changed[:3])}",
            right="work on a copy, such as nfcore.DeployedLightField(student)",
        )

    @rule("exporter.exported")
    def test_it_says_what_it_wrote(self) -> None:
        """At least one file, with inputs and outputs: users of the files rely on it."""
        exported = self.exported().exported
        require(
            exported.files
            and all(file.inputs and file.outputs for file in exported.files)
            and exported.precision
            and exported.target,
            found=f"{exported}",
            right="at least one file, inputs and outputs of each, the precision and the target",
        )

    @rule("exporter.files")
    def test_the_files_that_it_names_exist(self) -> None:
        """By their paths in the folder."""
        export = self.exported()
        names = (*(file.name for file in export.exported.files), *export.exported.extras)
        missing = [name for name in names if not (export.folder / name).exists()]
        require(not missing, found=f"no {', '.join(missing)} in the folder", right="the paths of what it wrote")

    @rule("exporter.core-names")
    def test_it_leaves_the_names_of_the_core_alone(self) -> None:
        """The core would refuse the export."""
        taken = [name for name in OF_THE_CORE if (self.exported().folder / name).exists()]
        require(not taken, found=f"{', '.join(taken)} written by the exporter", right="another name")

    @rule("exporter.last-file")
    def test_the_image_comes_out_of_the_last_file_that_it_names(self) -> None:
        """Its size is the student's, or free."""
        exported = self.exported()
        cameras = exported.model.cameras
        shapes = [port.shape for port in exported.exported.files[-1].outputs]
        size = {cameras.height, cameras.width}
        require(
            any(
                size <= set(shape) or sum(isinstance(side, str) for side in shape) >= len(size) for shape in shapes
            ),
            found=f"outputs of the shapes {shapes}",
            right=f"an image of {cameras.height} x {cameras.width}, or names for free axes",
        )

    @rule("exporter.variants")
    def test_its_variants_are_options_that_it_takes(self) -> None:
        """There is at least one, and ``nfcore shrink`` can build each."""
        cls = type(self.build())
        variants = cls.variants()
        require(variants, found="no variant", right="at least ({},)")
        for variant in variants:
            try:
                parse(cls.Options, variant, "variant")
            except UserError as error:
                raise Broken(str(error), f"options of {cls.__name__}") from error

    @rule("exporter.bits")
    def test_fewer_bits_round_a_weight_more(self) -> None:
        """Tested for each of its ``bits``, if it has any."""
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


def _changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors that differ in value or type, or that only one of the two has."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if name not in before
        or name not in after
        or after[name].dtype != before[name].dtype
        or not torch.equal(after[name], before[name])
    ]
