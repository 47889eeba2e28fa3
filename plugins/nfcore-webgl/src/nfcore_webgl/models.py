"""Files of the scene as a mesh, which the page offers next to the neural view."""

from __future__ import annotations

import shutil
from pathlib import Path

from nfcore import UserError

#: Files of nfcore-mesh's exports, by kind: for glTF viewers and Android, and for AR Quick Look on Apple's devices.
_FILES = {"glb": "mesh.glb", "usdz": "mesh.usdz"}


def copy_models(mesh: Path | None, folder: Path) -> dict[str, str]:
    """Copy the files of an export ``mesh`` into ``folder``; return their names by kind.

    Raises:
        UserError: the export has no GLB.

    """
    if mesh is None:
        return {}
    found = {kind: name for kind, name in _FILES.items() if (mesh / name).is_file()}
    if "glb" not in found:
        raise UserError(f"{mesh}: has no mesh.glb: the option mesh is a folder of 'nfcore export RUN mesh'")
    for name in found.values():
        shutil.copyfile(mesh / name, folder / name)
    return found
