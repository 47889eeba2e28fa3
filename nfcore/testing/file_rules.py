"""The standard tests of exported files, before they are run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from nfcore.errors import UserError
from nfcore.exports.fitted_teacher import FittedTeacher
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.interfaces import Exported
from nfcore.options import Options, parse
from nfcore.plugin.components import Kind
from nfcore.student.light_field import LightField
from nfcore.testing.base import Conformance
from nfcore.testing.contract import Broken, once, require, require_type, rule
from nfcore.testing.sphere import SCENE, SphereTeacher, cameras_around
from nfcore.testing.student import tiny_student


@dataclass(frozen=True)
class Export:
    """A student or teacher, the folder of its files, and the exporter's description of them."""

    model: LightField | FittedTeacher
    folder: Path
    exported: Exported


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

    def export(self, folder: Path) -> Export:
        """Write the model into ``folder``."""
        torch.manual_seed(0)
        model = self.model()
        folder.mkdir()
        exported = self.build().export(model, folder)
        require_type(exported, Exported, "export returns", "exporter.exported")
        return Export(model, folder, exported)

    @once
    def exported(self) -> Export:
        """One export for all tests that only run it."""
        return self.export(self.made["data"] / "export")

    @rule("exporter.folder-only")
    def test_it_writes_into_the_folder_and_nowhere_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither to the parent folder nor to the current one."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        self.export(self.folder / "export")
        written = [path for path in (self.folder / "export").rglob("*") if path.is_file()]
        require(written, found="no file in the folder", right="the files of the target")
        stray = sorted(path.name for place in (self.folder, elsewhere) for path in place.iterdir())
        others = [name for name in stray if name not in ("export", "elsewhere")]
        require(not others, found=f"{', '.join(others)} outside of the folder", right="all files in it")

    @rule("exporter.model-unchanged")
    def test_it_leaves_the_model_as_it_was(self) -> None:
        """Its weights, their type, and whether it is training."""
        model = self.model()
        module = model.teacher if isinstance(model, FittedTeacher) else model
        module.train()
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        folder = self.folder / "export"
        folder.mkdir()
        self.build().export(model, folder)
        after = module.state_dict()
        changed = [
            name
            for name, tensor in before.items()
            if name not in after or after[name].dtype != tensor.dtype or not torch.equal(after[name], tensor)
        ]
        require(
            not changed and before.keys() == after.keys(),
            found=f"other {', '.join(changed[:3]) or 'tensors'}",
            right="work on a copy, such as nfcore.DeployedLightField(student)",
        )
        require(
            all(part.training for part in module.modules()),
            found="a model that was training is in eval mode",
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
        missing = [file.name for file in export.exported.files if not (export.folder / file.name).exists()]
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
