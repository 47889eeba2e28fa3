"""What an exporter says of the files that it wrote: their tensors by name, shape, axes and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

from nfcore.scene.cameras import Cameras

_STRICT = ConfigDict(extra="forbid")  # where they are read from a manifest


@dataclass(frozen=True)
class Port:
    """A tensor that goes into an exported file or comes out of it.

    Args:
        name: as the file has it.
        shape: a text names a free axis, such as ``"batch"`` or ``"rows"``.
        dtype: such as ``"float32"`` or ``"float16"``.
        meaning: axes, units and range, for a person who has the file alone.

    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    meaning: str


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export, or one folder that its target counts as one file.

    Args:
        name: path in the export's folder.
        inputs: what goes in, in order.
        outputs: what comes out, in order.

    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def camera_to_image(cls, name: str, cameras: Cameras, batch: int | str = "batch") -> ExportedFile:
        """Return the description of a file that does all: a camera in, an image of the size of ``cameras`` out."""
        return cls(name, camera_ports(batch), (image_port(cameras.height, cameras.width, batch),))


@dataclass(frozen=True)
class Exported:
    """What an exporter wrote.

    Args:
        files: in the order in which they run; what is no model, such as a licence, is left out.
        precision: of weights and arithmetic, for people: ``"fp32"``, ``"int8 weights"``.
        target: what runs the files: ``"ONNX opset 20"``, ``"Core ML, iOS 16 or later"``.
        unverified: what nobody can verify where the export is made, each with the reason.
        report: the exporter's own findings about the files, as JSON values.

    """

    files: tuple[ExportedFile, ...]
    precision: str
    target: str
    unverified: tuple[str, ...] = ()
    report: Mapping[str, object] = field(default_factory=dict)


def camera_ports(batch: int | str = "batch") -> tuple[Port, Port]:
    """Return the inputs ``pose`` and ``intrinsics``."""
    return (
        Port(
            "pose",
            (batch, 3, 4),
            "float32",
            "camera to world, OpenGL axes (x right, y up, looks down -z), scene units",
        ),
        Port(
            "intrinsics",
            (batch, 4),
            "float32",
            "fx, fy, cx, cy in pixels of the output image; pixel centres at +0.5",
        ),
    )


def image_port(height: int | str, width: int | str, batch: int | str = "batch") -> Port:
    """Return the output ``image``."""
    return Port("image", (batch, 3, height, width), "float32", "RGB in [0, 1], top row first")


def features_port(shape: tuple[int | str, ...], dtype: str) -> Port:
    """Return ``features``: what one half of a split export gives and the other takes."""
    return Port("features", shape, dtype, "features of the rays, one for each block of pixels, top row first")


def ray_ports(
    rows: int | str = "rows", columns: int | str = "columns", batch: int | str = "batch"
) -> tuple[Port, Port]:
    """Return the inputs ``origins`` and ``directions``: one ray through the centre of each block of pixels."""
    shape = (batch, 3, rows, columns)
    return (
        Port("origins", shape, "float32", "where the rays begin: world axes, scene units, top row first"),
        Port("directions", shape, "float32", "where the rays go: world axes, as nfcore.ray_grid gives them"),
    )
