"""A textured mesh as one binary glTF 2.0 file, and back.

The mesh's vertices are in the scene's world; a node's matrix puts them upright and in metres, so that viewers show
them right and programs that have the cameras can use them as they are. The texture already has the scene's light
in it, so it is shown as it is, where a viewer knows ``KHR_materials_unlit``.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from nfcore import UserError
from nfcore.io import to_bytes
from nfcore_mesh.surface import Mesh
from nfcore_mesh.texture import Textured

_FLOAT, _SHORT, _INT = 5126, 5123, 5125
_VERTICES, _TRIANGLES = 34962, 34963
_LINEAR, _LINEAR_MIPMAPS, _CLAMP = 9729, 9987, 33071
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_UNLIT = "KHR_materials_unlit"


class Card(BaseModel):
    """What the file says of the scene, in ``extras`` of glTF's scene.

    Args:
        width: of the images that it was made for, pixels.
        height: of these, pixels.
        background: RGB in [0, 1] behind the mesh.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(ge=1, le=1 << 15)
    height: int = Field(ge=1, le=1 << 15)
    background: tuple[float, float, float]


@dataclass(frozen=True)
class _Part:
    data: bytes
    view: dict[str, Any]


def write_glb(textured: Textured, transform: Tensor, card: Card, quality: int) -> bytes:
    """Return the file.

    Args:
        textured: in the scene's world.
        transform: (4, 4), from there to glTF's world, y up and in metres.
        card: about the scene.
        quality: of the JPEG texture, 1 to 100.

    """
    mesh = textured.mesh
    points = mesh.vertices.numpy().astype("<f4")
    short = len(points) <= 0xFFFF
    indices = mesh.triangles.numpy().astype("<u2" if short else "<u4").reshape(-1)
    parts = [
        _Part(points.tobytes(), {"target": _VERTICES}),
        _Part(textured.places.numpy().astype("<f4").tobytes(), {"target": _VERTICES}),
        _Part(indices.tobytes(), {"target": _TRIANGLES}),
        _Part(jpeg(textured.texture, quality), {}),
    ]
    binary, views = _packed(parts)
    tree = {
        "asset": {"version": "2.0", "generator": "nfcore-mesh"},
        "extensionsUsed": [_UNLIT],
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": {"nfcore": card.model_dump(mode="json")}}],
        "nodes": [{"mesh": 0, "matrix": transform.T.reshape(-1).tolist()}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}
        ],
        "materials": [
            {
                "doubleSided": True,
                "extensions": {_UNLIT: {}},
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0,
                    "roughnessFactor": 1,
                },
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [
            {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP},
        ],
        "images": [{"bufferView": 3, "mimeType": "image/jpeg"}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": _FLOAT,
                "count": len(points),
                "type": "VEC3",
                "min": points.min(0).tolist(),
                "max": points.max(0).tolist(),
            },
            {"bufferView": 1, "componentType": _FLOAT, "count": len(points), "type": "VEC2"},
            {
                "bufferView": 2,
                "componentType": _SHORT if short else _INT,
                "count": len(indices),
                "type": "SCALAR",
            },
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return _container(json.dumps(tree, separators=(",", ":")).encode(), binary)


def read_glb(data: bytes, where: str) -> tuple[Textured, Tensor, Card]:
    """Return mesh, transform to glTF's world and card of a file that ``write_glb`` wrote.

    Raises:
        UserError: the file is damaged, or another program's.

    """
    import trimesh  # takes half a second, and only reading needs it

    try:
        scene: Any = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
        card = Card.model_validate(scene.metadata["nfcore"])
        node = next(iter(scene.graph.nodes_geometry))
        transform, name = scene.graph[node]
        loaded = scene.geometry[name]
        # Trimesh turns v around as it reads; in glTF and here it is down.
        places = torch.from_numpy(np.asarray(loaded.visual.uv, np.float32)) * torch.tensor([1.0, -1.0])
        texture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"), np.float32) / 255
        vertices = torch.from_numpy(np.asarray(loaded.vertices, np.float32))
        mesh = Mesh(vertices, torch.from_numpy(np.asarray(loaded.faces, np.int64)))
        textured = Textured(mesh, places + torch.tensor([0.0, 1.0]), torch.from_numpy(texture))
    except ValidationError as error:
        raise UserError(f"{where}: its nfcore card: {error.errors()[0]['msg']}") from None
    except Exception as error:  # trimesh and PIL raise anything for damaged bytes
        raise UserError(
            f"{where}: not a mesh that nfcore wrote, or damaged ({error!r}); export it again"
        ) from None
    _check(textured, where)
    return textured, torch.tensor(transform, dtype=torch.float64), card


def jpeg(texture: Tensor, quality: int) -> bytes:
    """Return a texture (size, size, 3) in [0, 1] as JPEG with colours of full resolution."""
    buffer = io.BytesIO()
    Image.fromarray(to_bytes(texture)).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def _check(textured: Textured, where: str) -> None:
    vertices, triangles = textured.mesh.vertices, textured.mesh.triangles
    inside = len(triangles) == 0 or (triangles.min() >= 0 and int(triangles.max()) < len(vertices))
    if not (inside and vertices.isfinite().all() and textured.places.isfinite().all()):
        raise UserError(f"{where}: damaged: indices beyond its vertices, or numbers that are not finite")


def _packed(parts: list[_Part]) -> tuple[bytes, list[dict[str, Any]]]:
    binary, views = b"", []
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(part.data), **part.view})
        binary += part.data + bytes(-len(part.data) % 4)
    return binary, views


def _container(text: bytes, binary: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(binary), _BINARY) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks
