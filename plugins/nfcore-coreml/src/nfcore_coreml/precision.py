"""The precisions that a package can have: what each does to the weights, where it runs, what it must reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: The systems that packages are made for, oldest first.
TARGETS = ("iOS16", "iOS17", "iOS18")

Scheme: TypeAlias = Literal["half", "linear", "palette"]


@dataclass(frozen=True)
class Precision:
    """What is done to the weights of the network; activations are fp16 in all of them.

    Args:
        label: for reports.
        required_psnr: least PSNR against torch, dB.
        scheme: fp16 as they are; 8-bit integers times a scale for each output channel; or indices into a palette.
        bits: of one weight.
        grouped: a palette for each group of output channels, not one for the whole weight.

    """

    label: str
    required_psnr: float
    scheme: Scheme = "half"
    bits: int = 16
    grouped: bool = False

    @property
    def first_target(self) -> str:
        """The oldest system that runs it: palettes by group came with iOS 18, the rest with iOS 16."""
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

#: What the option ``bits`` asks of single layers, by the number of bits.
LAYER_PRECISIONS = {bits: PRECISIONS[f"palette-{bits}"] for bits in (8, 6, 4)}
