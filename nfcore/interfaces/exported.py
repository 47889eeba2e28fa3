"""An exporter's description of its files: their tensors by name, shape, axes and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

from nfcore.scene.cameras import Cameras

_STRICT = ConfigDict(extra="forbid")  # where they are read from a manifest


@dataclass(frozen=True)
class Port:
    """An input or an output tensor of an exported file.

    Args:
        name: its name in the file.
        shape: a string names a dynamic axis, such as ``"batch"`` or ``"rows"``.
        dtype: such as ``"float32"`` or ``"float16"``.
        meaning: axes, units and range, for someone who has only the file.

    >>> nfcore.Port("opacity", ("batch", 200, 200), "float32", "in [0, 1], top row first").shape
    ('batch', 200, 200)

    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    meaning: str


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export, or a folder that its target treats as one file.

    Args:
        name: path in the export's folder.
        inputs: what goes in, in order.
        outputs: what comes out, in order.

    >>> camera = nfcore.Cameras(torch.eye(4)[None, :3], torch.tensor([[8.0, 8.0, 4.0, 3.0]]), height=6, width=8)
    >>> file = nfcore.ExportedFile.camera_to_image("student.onnx", camera)
    >>> [port.name for port in file.inputs], file.outputs[0].shape
    (['pose', 'intrinsics'], ('batch', 3, 6, 8))

    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def camera_to_image(cls, name: str, cameras: Cameras, batch: int | str = "batch") -> ExportedFile:
        """Describe a file that takes a camera and returns an image of the size of ``cameras``."""
        return cls(name, camera_ports(batch), (image_port(cameras.height, cameras.width, batch),))


@dataclass(frozen=True)
class Exported:
    """What an exporter wrote.

    Args:
        files: in the order in which they run; files that are not models, such as a licence, are left out.
        precision: of weights and arithmetic, as shown to users: ``"fp32"``, ``"int8 weights"``.
        target: what runs the files: ``"ONNX opset 20"``, ``"Core ML, iOS 16 or later"``.
        unverified: what can't be verified where the export is made, each with the reason.
        report: the exporter's own findings about the files, as JSON values.
        extras: files and folders that ``files`` do without, such as the same in another form: they don't count in
            the export's size.

    >>> nfcore.Exported(files=(), precision="fp32", target="ONNX opset 20").unverified
    ()

    """

    files: tuple[ExportedFile, ...]
    precision: str
    target: str
    unverified: tuple[str, ...] = ()
    report: Mapping[str, object] = field(default_factory=dict)
    extras: tuple[str, ...] = ()


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
    """Return the output ``image``.

    >>> image_port(200, 300).shape
    ('batch', 3, 200, 300)
    """
    return Port("image", (batch, 3, height, width), "float32", "RGB in [0, 1], top row first")


def features_port(shape: tuple[int | str, ...], dtype: str) -> Port:
    """Return ``features``, the tensor between the two halves of a split export."""
    return Port("features", shape, dtype, "features of the rays, one for each block of pixels, top row first")


def ray_ports(
    rows: int | str = "rows", columns: int | str = "columns", batch: int | str = "batch"
) -> tuple[Port, Port]:
    """Return the inputs ``origins`` and ``directions``: one ray through the centre of each block of pixels."""
    shape = (batch, 3, rows, columns)
    return (
        Port("origins", shape, "float32", "where the rays start: world axes, scene units, top row first"),
        Port("directions", shape, "float32", "where the rays go: world axes, as nfcore.ray_grid returns them"),
    )
