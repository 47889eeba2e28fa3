"""The exporter: writes a student as one or two ``.mlpackage``s, and runs them on any platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from torch import Tensor

import nfcore
from nfcore_coreml.compression import compress
from nfcore_coreml.conversion import convert
from nfcore_coreml.evaluator import Package
from nfcore_coreml.forms import Form, layer, layers, parts
from nfcore_coreml.palettes import palettized
from nfcore_coreml.precision import LAYER_PRECISIONS, PRECISIONS, TARGETS, Precision
from nfcore_coreml.report import report
from nfcore_coreml.running import runner

if TYPE_CHECKING:
    from nfcore import LightField

_SYSTEMS = {"iOS16": "iOS 16 and macOS 13", "iOS17": "iOS 17 and macOS 14", "iOS18": "iOS 18 and macOS 15"}

_UNVERIFIED = (
    "accuracy of the Neural Engine's arithmetic: no Apple device was used",
    "which of its ops run on the Neural Engine, and its speed: only a device shows that",
)


class CoreML(nfcore.Exporter[nfcore.LightField]):
    """An ML Program of one fixed image size, activations in fp16, rays and encoding in fp32; or two programs.

    The package maps ``pose`` (1, 3, 4) and ``intrinsics`` (1, 4) to ``image`` (1, 3, H, W), all fp32. Split,
    ``rays.mlpackage`` returns fp16 ``features`` of the rays and ``network.mlpackage`` takes them: the second suits
    the Neural Engine, the first may gather from tables, which runs on the CPU. In the form ``rays`` it takes
    ``origins`` and ``directions`` (1, 3, h, w) instead of a camera.
    Fixed shapes are far faster on the Neural Engine than flexible ones. Rays in fp16 would cost 24 dB against
    torch: an error of 1/2048 of a coordinate is visible once an octave of the encoding multiplies it by 32.

    Args:
        options: an instance of this class's ``Options``.

    """

    bits: ClassVar[tuple[int, ...]] = tuple(LAYER_PRECISIONS)

    class Options(nfcore.Options):
        """Options of the Core ML exporter."""

        precision: Literal["fp16", "palette-8", "int8", "grouped-6", "palette-6", "grouped-4", "palette-4"] = (
            Field(
                "fp16",
                description="Of the network's weights and the encoding's feature tables: fp16; int8 times a "
                "scale for each channel; or indices of 8, 6 or 4 bits into a palette by k-means, one for a layer "
                "or, grouped, for each 16 channels (iOS 18)",
            )
        )
        bits: dict[str, int] = Field(
            {},
            description='Bits of single layers by their names in the student, {"backbone.head.0" = 8}: 8, 6 or 4, '
            "as a palette; the other layers have the precision",
        )
        minimum_target: Literal["iOS16", "iOS17", "iOS18"] | None = Field(
            None,
            description="Oldest system that must run the package; iOS16 is also macOS 13, and so on. By default "
            "the oldest that can: iOS18 for grouped palettes, else iOS16",
        )
        form: Form = Field(
            "single",
            description="One program, two (camera to features of the rays, and features to image), or one that "
            "takes the origins and directions of rays",
        )

        ray_counts: tuple[int, int] | None = Field(
            None,
            description="With the form rays: minimum and maximum rays along each side that the package takes, "
            "as in [2, 200]; by default only the student's own ray grid, which the Neural Engine runs faster",
        )

        @field_validator("bits")
        @classmethod
        def _known(cls, bits: dict[str, int]) -> dict[str, int]:
            for name, number in bits.items():
                if number not in LAYER_PRECISIONS:
                    raise ValueError(f"{name} can have 8, 6 or 4 bits")
            return bits

        @model_validator(mode="after")
        def _runs_there(self) -> CoreML.Options:
            first = PRECISIONS[self.precision].first_target
            if self.minimum_target is not None and TARGETS.index(self.minimum_target) < TARGETS.index(first):
                raise ValueError(f"{self.precision} needs a minimum_target of {first}, not {self.minimum_target}")
            if self.ray_counts is not None and self.form != "rays":
                raise ValueError("ray_counts are for the form rays")
            if self.ray_counts is not None and not 2 <= self.ray_counts[0] <= self.ray_counts[1]:
                raise ValueError(
                    f"ray_counts are at least 2, and the second no less than the first: {self.ray_counts}"
                )
            return self

        @property
        def scheme(self) -> Precision:
            """The details of the precision."""
            return PRECISIONS[self.precision]

        @property
        def target(self) -> str:
            """The oldest system that runs the package."""
            return self.minimum_target or self.scheme.first_target

    options: Options

    @property
    def tolerance(self) -> nfcore.Tolerance:
        """That of the coarsest weights: 70 dB for fp16, which reaches 77, to 28 for 4 bits, which reach 33."""
        used = [self.options.scheme, *(LAYER_PRECISIONS[bits] for bits in self.options.bits.values())]
        return nfcore.Tolerance(psnr=min(precision.required_psnr for precision in used))

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return all precisions, the most exact first."""
        return [{"precision": name} for name in PRECISIONS]

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        """Return ``weight`` rounded to a palette of ``bits`` bits with fp16 values."""
        return palettized(weight, bits)

    def export(self, student: LightField, folder: Path) -> nfcore.Exported:
        """Write ``light_field.mlpackage``, or the packages of another form, into ``folder``.

        Raises:
            UserError: ``bits`` names a layer that the network lacks, or ``ray_counts`` excludes its own grid.
            NfcoreError: coremltools can't convert an op of the student, or merges a layer that ``bits`` names.

        """
        counts = self.options.ray_counts
        if counts is not None and not all(counts[0] <= size <= counts[1] for size in student.grid):
            rows, columns = student.grid
            raise nfcore.UserError(f"ray_counts: {counts} excludes the student's own {rows} x {columns} rays")
        written = parts(student, self.options.form, counts)
        _check_layers(self.options.bits, layers(written))
        compressed: set[str] = set()

        def shrink(path: Path, parameters: Mapping[str, str]) -> None:
            # Constants have torch.export's names of the parameters, which name the student's layers.
            names = {constant: layer(tensor) for constant, tensor in parameters.items()}
            bits = {constant: self.options.bits[of] for constant, of in names.items() if of in self.options.bits}
            compressed.update(names.get(constant) or "" for constant in compress(path, self.options.scheme, bits))

        for part in written:
            convert(
                part.module,
                part.inputs,
                folder / part.file.name,
                target=self.options.target,
                description=part.description(student),
                flexible=part.flexible,
                compress=shrink if self.options.bits or self.options.precision != "fp16" else None,
            )
        merged = self.options.bits.keys() - compressed
        if merged:
            raise nfcore.NfcoreError(
                f"coremltools merged the weights of {min(merged)}: it can't have bits of its own"
            )
        return nfcore.Exported(
            tuple(part.file for part in written),
            precision=_label(self.options.scheme, self.options.bits),
            target=f"Core ML, {_SYSTEMS[self.options.target]} or later",
            unverified=_UNVERIFIED,
            report={part.file.name: report(Package.read(folder / part.file.name)) for part in written},
        )

    def load(self, folder: Path, threads: int | None = None) -> nfcore.Runner:
        """Return a runner of the saved packages: Core ML on macOS, this plugin's evaluator elsewhere.

        Raises:
            UserError: a package is missing or damaged.

        """
        return runner(folder, threads)


def _check_layers(bits: Mapping[str, int], known: list[str]) -> None:
    """Reject names in ``bits`` that are not layers of the student."""
    for name in bits:
        if name not in known:
            listed = ", ".join(known[:4]) + (f" and {len(known) - 4} more" if len(known) > 4 else "")
            raise nfcore.UserError(f"bits: the student has no layer {name!r} with fp16 weights; it has {listed}")


def _label(precision: Precision, bits: Mapping[str, int]) -> str:
    """Return the precision as text, with the number of layers that have bits of their own."""
    counts = {number: list(bits.values()).count(number) for number in sorted(set(bits.values()), reverse=True)}
    own = "".join(f", {count} layers of {number}-bit k-means" for number, count in counts.items())
    return precision.label + own
