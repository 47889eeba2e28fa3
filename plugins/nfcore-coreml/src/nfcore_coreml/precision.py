"""The precisions of a package: compression of the weights, oldest system, required PSNR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: The target systems, oldest first.
TARGETS = ("iOS16", "iOS17", "iOS18")

Scheme: TypeAlias = Literal["half", "linear", "palette"]


@dataclass(frozen=True)
class Precision:
    """The compression of the network's weights; activations are always fp16.

    Args:
        label: its name in reports.
        required_psnr: required PSNR against torch, dB.
        scheme: uncompressed fp16; 8-bit integers times a scale per output channel; or indices into a palette.
        bits: bits per weight.
        grouped: a palette per group of output channels, not one per weight.

    """

    label: str
    required_psnr: float
    scheme: Scheme = "half"
    bits: int = 16
    grouped: bool = False

    @property
    def first_target(self) -> str:
        """The oldest system that runs it: iOS 18 for grouped palettes, else iOS 16."""
        return "iOS18" if self.grouped else "iOS16"


PRECISIONS: dict[str, Precision] = {
    "fp16": Precision("fp16", 70),
    "palette-8": Precision("8-bit k-means", 50, "palette", 8),
    "int8": Precision("int8 weights", 50, "linear", 8),
    "grouped-6": Precision("6-bit k-means by group", 40, "palette", 6, grouped=True),
    "palette-6": Precision("6-bit k-means", 40, "palette", 6),
    "grouped-4": Precision("4-bit k-means by group", 28, "palette", 4, grouped=True),
    "palette-4": Precision("4-bit k-means", 28, "palette", 4),
}

#: The precision of single layers by the option ``bits``.
LAYER_PRECISIONS = {bits: PRECISIONS[f"palette-{bits}"] for bits in (8, 6, 4)}
