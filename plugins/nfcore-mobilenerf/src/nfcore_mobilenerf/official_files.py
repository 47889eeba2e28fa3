"""The files of MobileNeRF's own viewer: ``shape0.obj``, two PNGs of features, ``mlp.json``; written and read.

As google-research's ``jax3d/projects/mobilenerf`` has them: vertices are (x, z, -y); a texel's features 0 to 3 and
4 to 7 are RGBA of the two images, nearest neighbour; R = 0 is no texel. Browsers may premultiply by alpha, so it
is stored as a // 2 + 128, and half as exact. The network's weights are (inputs, outputs).
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from nfcore import UserError
from nfcore.io import open_file, read_file, read_json, write_atomic, write_json
from nfcore.scene import Vector
from nfcore_mobilenerf.polygons import FEATURES, Layers, Polygons
from nfcore_mobilenerf.rasterizer import INSET, Triangles

#: Names of the files.
OBJ, IMAGES, NETWORK = "shape0.obj", ("shape0.pngfeat0.png", "shape0.pngfeat1.png"), "mlp.json"
#: The first line says how many faces there are: a file may have been cut short.
_COUNT = re.compile(r"# (\d+) faces\n")


@dataclass(frozen=True)
class Shape:
    """What the files hold.

    Args:
        triangles: with coordinates in the texture.
        features: (side^2, 8) float32 in [0, 1] of all texels.
        opaque: (side^2,) bool, which are there.
        layers: of the network.
        background: RGB.
        size: height and width of the reference image.

    """

    triangles: Triangles
    features: Tensor
    opaque: Tensor
    layers: Layers
    background: Vector
    size: tuple[int, int]


class _Network(BaseModel):
    """``mlp.json``; the viewer ignores what is nfcore's."""

    model_config = ConfigDict(allow_inf_nan=False, extra="ignore")

    obj_num: Literal[1]
    weights_0: list[list[float]] = Field(alias="0_weights")
    weights_1: list[list[float]] = Field(alias="1_weights")
    weights_2: list[list[float]] = Field(alias="2_weights")
    bias_0: list[float] = Field(alias="0_bias")
    bias_1: list[float] = Field(alias="1_bias")
    bias_2: list[float] = Field(alias="2_bias")
    background: Vector
    height: int = Field(ge=1)
    width: int = Field(ge=1)


def write_files(polygons: Polygons, background: Vector, size: tuple[int, int], folder: Path) -> None:
    """Write ``polygons`` into ``folder``, with the background and the reference image's height and width."""
    across = max(1, math.ceil(math.sqrt(len(polygons.quads))))
    side = across * polygons.texels
    write_atomic(folder / OBJ, _mesh(polygons, across, side))
    texture = _texture(polygons, across, side)
    for name, image in zip(IMAGES, (texture[..., :4], texture[..., 4:]), strict=True):
        data = BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(data, "PNG")
        write_atomic(folder / name, data.getvalue())
    height, width = size
    network: dict[str, Any] = {"obj_num": 1, "background": background, "height": height, "width": width}
    for number, (weight, bias) in enumerate(polygons.layers):
        network |= {f"{number}_weights": weight.T.tolist(), f"{number}_bias": bias.tolist()}
    write_json(folder / NETWORK, network)


def _mesh(polygons: Polygons, across: int, side: int) -> str:
    x, y, z = polygons.quads.vertices.T.tolist()
    lines = [f"# {2 * len(polygons.quads)} faces"]
    lines += [f"v {a:.7g} {c:.7g} {-b:.7g}" for a, b, c in zip(x, y, z, strict=True)]
    near, far = INSET, polygons.texels - INSET
    square = ((near, near), (far, near), (far, far), (near, far))
    for quad in range(len(polygons.quads)):
        row, column = (polygons.texels * place for place in divmod(quad, across))
        # Coordinates are from the lower left.
        lines += [f"vt {(column + u) / side:.8f} {1 - (row + v) / side:.8f}" for u, v in square]
    for quad, (a, b, c, d) in enumerate((1 + polygons.quads.corners.long()).tolist()):
        i = 4 * quad + 1
        lines += [f"f {a}/{i} {b}/{i + 1} {c}/{i + 2}", f"f {a}/{i} {c}/{i + 2} {d}/{i + 3}"]
    return "\n".join(lines) + "\n"


def _texture(polygons: Polygons, across: int, side: int) -> NDArray[np.uint8]:
    """Return (side, side, 8): quads in rows of ``across``."""
    texels = polygons.texels
    own = polygons.features.numpy() * polygons.opaque.numpy()[:, None]
    own[:, 3::4] = np.where(polygons.opaque.numpy()[:, None], own[:, 3::4] // 2 + 128, 0)
    whole = np.zeros((across * across, texels, texels, FEATURES), np.uint8)
    whole[: len(polygons.quads)] = own.reshape(-1, texels, texels, FEATURES)
    grid = whole.reshape(across, across, texels, texels, FEATURES)
    return grid.transpose(0, 2, 1, 3, 4).reshape(side, side, FEATURES)


def read_files(folder: Path) -> Shape:
    """Return what the files in ``folder`` hold.

    Raises:
        UserError: a file is missing or damaged; it is named.

    """
    network, layers = _read_network(folder / NETWORK)
    images = [_read_image(folder / name) for name in IMAGES]
    if images[0].shape != images[1].shape or images[0].shape[0] != images[0].shape[1]:
        raise UserError(f"{folder / IMAGES[1]}: not as large as {IMAGES[0]}, or not square: export it again")
    texture = np.concatenate(images, 2).reshape(-1, FEATURES).astype(np.float32)
    features = texture / 255
    features[:, 3::4] = features[:, 3::4] * 2 - 1
    triangles = _read_mesh(folder / OBJ, images[0].shape[0])
    opaque = texture[:, 0] > 0
    features[~opaque] = 0
    size = network.height, network.width
    parts = torch.from_numpy(features), torch.from_numpy(opaque)
    return Shape(triangles, *parts, layers, network.background, size)


def _read_network(path: Path) -> tuple[_Network, Layers]:
    try:
        found = _Network.model_validate(read_json(path))
        weights = [
            torch.tensor(rows).T.contiguous() for rows in (found.weights_0, found.weights_1, found.weights_2)
        ]
    except ValueError as error:  # pydantic's and torch's, of rows that differ in length
        raise UserError(f"{path}: not the network of this exporter, or damaged; export it again") from error
    layers = tuple(zip(weights, map(torch.tensor, (found.bias_0, found.bias_1, found.bias_2)), strict=True))
    widths = [FEATURES + 3, *(len(bias) for _, bias in layers)]
    if [weight.shape for weight, _ in layers] != [(b, a) for a, b in itertools.pairwise(widths)] or widths[
        -1
    ] != 3:
        raise UserError(f"{path}: its layers don't fit together; export it again")
    return found, layers


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        with open_file(path) as file, Image.open(file) as image:
            if image.mode != "RGBA":
                raise UserError(f"{path}: its texels are {image.mode}, not RGBA; export it again")
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: no readable PNG ({error}); export it again") from None


def _read_mesh(path: Path, side: int) -> Triangles:
    rows: dict[str, list[str]] = {"v": [], "vt": [], "f": []}
    try:
        text = read_file(path).decode("ascii")
        count = _COUNT.match(text)
        for line in text[count.end() if count else 0 :].splitlines():
            kind, _, rest = line.partition(" ")
            rows[kind].append(rest)
        if count is None or len(rows["f"]) != int(count[1]):
            raise ValueError(f"it is cut short: {len(rows['f'])} faces are left")
        vertices = _numbers(rows["v"], 3)
        places = _numbers(rows["vt"], 2)
        faces = _numbers([line.replace("/", " ") for line in rows["f"]], 6).astype(np.int64).reshape(-1, 3, 2) - 1
        if len(faces) and (faces.min() < 0 or (faces.max((0, 1)) >= (len(vertices), len(places))).any()):
            raise ValueError("a face has a corner that is no vertex")
    except (LookupError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); export it again") from None
    world = np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], 1)
    coordinates = np.stack([places[:, 0], 1 - places[:, 1]], 1) * side
    return Triangles(
        torch.from_numpy(world).float(),
        torch.from_numpy(faces[..., 0]).int().contiguous(),
        torch.from_numpy(coordinates[faces[..., 1]].clip(0, side - 1e-6)),
        side,
    )


def _numbers(lines: list[str], columns: int) -> NDArray[np.float64]:
    found = np.array(" ".join(lines).split(), np.float64)
    if not np.isfinite(found).all() or len(found) != columns * len(lines):
        raise ValueError(f"a line has not {columns} numbers")
    return found.reshape(-1, columns)
