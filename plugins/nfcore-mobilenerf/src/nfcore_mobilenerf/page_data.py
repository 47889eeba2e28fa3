"""Polygons as the page carries them: a header and deflated blocks of bytes, written and read.

The documentation describes the format ("The format of a page of polygons").
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nfcore import Scene, UserError
from nfcore.viewer import BlockRecord, block_record, inflate_block, read_element, unpack_bytes
from nfcore_mobilenerf.mesh import Quads
from nfcore_mobilenerf.polygons import FEATURES, Polygons
from nfcore_mobilenerf.rasterizer import INSET

#: The header's name in the page's card.
HEADER = "polygons"
_BLOCKS = ("vertices", "corners", "features")
#: The nearest depth that is drawn, as a share of the scene's nearest.
_NEAREST = 0.1


class Layer(BaseModel):
    """A layer of the network: weights (outputs, inputs) and biases (outputs,)."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    weight: list[list[float]]
    bias: list[float]


class Header(BaseModel):
    """All that is not in a block: see the documentation."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=1)
    scene: Scene
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    quads: int = Field(ge=0)
    texels: int = Field(ge=1, le=32)
    inset: float
    near: float
    network: list[Layer]
    blocks: dict[str, BlockRecord]


@dataclass(frozen=True)
class PageData:
    """A header, and deflated blocks by name."""

    header: Header
    blocks: Mapping[str, bytes]

    @classmethod
    def of_polygons(cls, polygons: Polygons, scene: Scene, width: int, height: int) -> PageData:
        """Return ``polygons``; ``width`` and ``height`` are the reference image's, in pixels."""
        # Neighbours in the grid have numbers and places near each other.
        steps = np.diff(polygons.quads.corners.numpy().ravel(), prepend=np.int32(0)).astype("<i4")
        shown = polygons.features.numpy() * polygons.opaque.numpy()[:, None]
        data = {
            "vertices": _planes(polygons.quads.vertices.numpy().astype("<f4")),
            "corners": _planes(steps),
            "features": np.ascontiguousarray(shown.T).tobytes(),
        }
        header = Header(
            version=1,
            scene=scene,
            width=width,
            height=height,
            quads=len(polygons.quads),
            texels=polygons.texels,
            inset=INSET,
            near=_NEAREST * scene.near,
            network=[Layer(weight=weight.tolist(), bias=bias.tolist()) for weight, bias in polygons.layers],
            blocks={name: block_record(block) for name, block in data.items()},
        )
        return cls(header, {name: zlib.compress(block, 9) for name, block in data.items()})

    @classmethod
    def of_page(cls, page: str, name: str) -> PageData:
        """Return what the HTML of a ``page`` has, the file ``name``.

        Raises:
            UserError: it is damaged, or no such page.

        """
        try:
            header = Header.model_validate(json.loads(read_element(page, "card"))[HEADER])
            blocks = {block: unpack_bytes(read_element(page, block)) for block in _BLOCKS}
        except (LookupError, TypeError, ValueError, ValidationError):
            raise UserError(
                f"{name}: not a page of the exporter mobilenerf-page, or damaged; export it again"
            ) from None
        return cls(header, blocks)

    def polygons(self, name: str) -> Polygons:
        """Return the polygons; ``name`` is the file's, for errors.

        Raises:
            UserError: a block is damaged.

        """
        header = self.header
        data = {
            block: inflate_block(self.blocks[block], header.blocks.get(block, BlockRecord()), block, name)
            for block in _BLOCKS
        }
        try:
            vertices = _numbers(data["vertices"], "<f4").reshape(-1, 3)
            corners = _numbers(data["corners"], "<i4").cumsum(dtype=np.int32).reshape(header.quads, 4)
            texels = header.quads * header.texels**2
            features = np.frombuffer(data["features"], np.uint8).reshape(FEATURES, texels).T
            if len(corners) and not 0 <= corners.min() <= corners.max() < len(vertices):
                raise ValueError("a corner that is no vertex")
        except ValueError as error:
            raise UserError(f"{name}: its data don't fit its header ({error}); export it again") from None
        found = torch.from_numpy(np.ascontiguousarray(features))
        layers = tuple((torch.tensor(layer.weight), torch.tensor(layer.bias)) for layer in header.network)
        quads = Quads(torch.from_numpy(vertices.astype(np.float32)), torch.from_numpy(corners))
        return Polygons(quads, header.texels, found, found[:, 0] > 0, layers)


def _planes(numbers: NDArray[Any]) -> bytes:
    """Return all lowest bytes of 4-byte numbers, then all second ones, and so on: similar bytes deflate best."""
    return np.ascontiguousarray(numbers.reshape(-1).view(np.uint8).reshape(-1, 4).T).tobytes()


def _numbers(data: bytes, kind: str) -> NDArray[Any]:
    found: NDArray[Any] = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, -1).T).view(kind)[:, 0]
    return found
