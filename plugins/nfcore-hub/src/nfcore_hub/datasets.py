"""The public scenes that ``nfcore download`` knows: each with its author, licence and the archive that has it.

Only scenes whose licence is stated are here, in archives whose SHA-256 is known. LLFF's scenes and those of
Mip-NeRF 360 are missing: no licence is stated for the photos.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from nfcore import UserError


@dataclass(frozen=True)
class Archive:
    """A zip file on a server.

    Args:
        title: the data set.
        url: its address.
        sha256: of the file, in hexadecimal digits.
        folder: of the data set in the archive and on disk.

    """

    title: str
    url: str
    sha256: str
    folder: str


@dataclass(frozen=True)
class PublicScene:
    """A scene.

    Args:
        name: on the command line, and of its folder.
        licence: of the scene, by its short name.
        author: of what is shown.
        source: page that states the licence.
        archive: has the scene as a folder.

    """

    name: str
    licence: str
    author: str
    source: str
    archive: Archive

    def described(self) -> dict[str, str]:
        """Return the scene as plain data."""
        return {
            "name": self.name,
            "licence": self.licence,
            "author": self.author,
            "source": self.source,
            "dataset": self.archive.title,
            "url": self.archive.url,
            "sha256": self.archive.sha256,
        }


# Mirrored on GitHub from the authors' Google Drive, which has no address for programs. This SHA-256 is that of the
# mirror's own downloader (yxlao/nerfmirror), and in nerfbaselines (datasets/blender.py) that on Google Drive.
NERF_SYNTHETIC = Archive(
    title="NeRF Synthetic (Mildenhall et al. 2020)",
    url="https://github.com/yxlao/nerfmirror/releases/download/20220618/nerf_synthetic.zip",
    sha256="f01fd1b4ab045b0d453917346f26f898657bb5bec4834b95fdad1f361826e45e",
    folder="nerf_synthetic",
)

# As the data set's README.txt states them.
_BLENDSWAP = {
    "chair": ("CC0", "1DInc", 8261),
    "drums": ("CC-BY", "bryanajones", 13383),
    "ficus": ("CC0", "Herberhold", 23125),
    "hotdog": ("CC0", "erickfree", 23962),
    "lego": ("CC-BY-NC", "Heinzelnisse", 11490),
    "materials": ("CC0", "elbrujodelatribu", 10120),
    "mic": ("CC0", "up3d.de", 23295),
    "ship": ("CC-BY-SA", "gregzaal", 8167),
}

SCENES = tuple(
    PublicScene(name, licence, author, f"https://www.blendswap.com/blend/{number}", NERF_SYNTHETIC)
    for name, (licence, author, number) in _BLENDSWAP.items()
)


def scene_named(name: str) -> PublicScene:
    """Return a scene.

    Raises:
        UserError: there is none of this name.

    """
    by_name = {scene.name: scene for scene in SCENES}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(by_name)}"
        raise UserError(f"unknown scene {name!r}: {hint}")
    return by_name[name]
