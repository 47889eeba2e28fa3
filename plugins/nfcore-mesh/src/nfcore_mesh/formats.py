"""A textured mesh in the formats next to glTF: OBJ and PLY, and what each needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nfcore import UserError
from nfcore.io import to_bytes, write_atomic
from nfcore_mesh.glb import jpeg
from nfcore_mesh.ply import write_triangles
from nfcore_mesh.texture import Textured
from nfcore_mesh.usdz import write_usdz


def check_formats(names: Sequence[str]) -> None:
    """Check that what the formats need is installed.

    Raises:
        UserError: a package is missing; says what to install.

    """
    if "usdz" in names and importlib.util.find_spec("pxr") is None:
        raise UserError('formats has usdz, which needs usd-core: pip install "nfcore-mesh[usdz]"')


def write_obj(folder: Path, textured: Textured, transform: Tensor, quality: int) -> None:
    """Write ``mesh.obj``, ``mesh.mtl`` and ``mesh.jpg``, in the scene's world."""
    places = textured.places * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])  # v is up in OBJ
    lines = ["mtllib mesh.mtl", "usemtl surface"]
    lines += [f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in textured.mesh.vertices.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in places.tolist()]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in (textured.mesh.triangles + 1).tolist()]
    write_atomic(folder / "mesh.obj", "\n".join(lines) + "\n")
    material = "newmtl surface\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 0\nmap_Kd mesh.jpg\n"
    write_atomic(folder / "mesh.mtl", material)
    write_atomic(folder / "mesh.jpg", jpeg(textured.texture, quality))


def write_coloured_ply(folder: Path, textured: Textured, transform: Tensor, quality: int) -> None:
    """Write ``mesh.ply``, binary, in the scene's world, with a colour for each vertex instead of the texture."""
    colours = torch.from_numpy(to_bytes(textured.at_vertices()))
    write_triangles(folder / "mesh.ply", textured.mesh.vertices, colours, textured.mesh.triangles)


#: Writers of a format into a folder, for the mesh, its transform to y up and metres, and the JPEG's quality.
WRITERS: Mapping[str, Callable[[Path, Textured, Tensor, int], None]] = {
    "obj": write_obj,
    "ply": write_coloured_ply,
    "usdz": write_usdz,
}
