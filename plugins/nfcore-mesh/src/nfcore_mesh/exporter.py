"""The exporter ``mesh``: a fitted teacher's surface with a texture, as GLB and other formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Exported, ExportedFile, FittedTeacher, Runner, Tolerance
from nfcore.io import read_file, write_atomic
from nfcore_mesh.agreement import agreement
from nfcore_mesh.cleaning import seen_part, simplified, without_floaters
from nfcore_mesh.drawing import drawn
from nfcore_mesh.formats import WRITERS, check_formats
from nfcore_mesh.frame import standing
from nfcore_mesh.glb import Card, read_glb, write_glb
from nfcore_mesh.surface import Lattice, Mesh, opacities, surface
from nfcore_mesh.texture import Textured, painted
from nfcore_mesh.unwrapping import unwrapped

#: The file that viewers open, and the greatest size in bytes that is read.
FILE, _MOST_BYTES = "mesh.glb", 1 << 30
# Reference cameras at which mesh and field are compared.
_COMPARED = 8
# Views that the texture is made from have about this many pixels along the longest side, at least: a texel that no
# pixel explains well would be noise.
_VIEW_SIDE = 600
# A vertex is seen up to this many voxels behind what a camera sees.
_SEEN_WITHIN = 2.0

Format = Literal["obj", "ply", "usdz"]


class MeshExporter(nfcore.Exporter[FittedTeacher]):
    """A triangle mesh of a fitted teacher's surface with a texture, for AR, games and printing.

    Marching cubes on the opacity of voxels, without what no reference camera sees, simplified, unwrapped (xatlas)
    and textured by the teacher's views. A mesh has one colour for all directions: highlights and reflections are
    left out on purpose, and thin or transparent things come out solid or not at all.

    It takes a teacher that is a volume (``Teacher.field``). ``mesh.glb`` is upright and in metres; ``usdz`` too
    (AR Quick Look); ``obj`` and ``ply`` are in the scene's own world.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the mesh exporter."""

        resolution: int = Field(256, ge=8, le=1024, description="Voxels along the longest side of the grid")
        level: float = Field(
            0.6,
            gt=0,
            lt=1,
            description="Share of the light that a hundredth of the grid's longest side absorbs at the surface",
        )
        extent: float = Field(
            4.0,
            ge=1,
            le=100,
            description="How far the mesh of an unbounded scene reaches, in half sides of the scene's box",
        )
        triangles: int = Field(60_000, ge=100, le=5_000_000, description="Number of triangles, at most")
        floaters: float = Field(
            0.001, ge=0, lt=1, description="Connected parts with less than this share of the area are removed"
        )
        texture: int = Field(2048, ge=64, le=8192, description="Side of the texture in texels")
        quality: int = Field(85, ge=1, le=100, description="Quality of the texture's JPEG")
        metres: float = Field(
            1.0, gt=0, le=1e6, description="Metres per scene unit, for formats that have a unit (GLB, USDZ)"
        )
        formats: tuple[Format, ...] = Field((), description="More files next to the GLB: obj, ply, usdz")

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """One colour for all directions: only a mesh of something else is this far from the teacher."""
        return Tolerance(psnr=15.0)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write ``mesh.glb``, and the other formats, for ``model`` into ``folder``.

        Raises:
            UserError: the teacher is no volume, has no surface, the texture is too small, or a package is missing.

        """
        check_formats(self.options.formats)
        cameras = model.cameras.to("cpu")
        lattice = Lattice(model.scene, self.options.resolution, self.options.extent)
        mesh = self._surface(model, lattice, cameras)
        textured = self._textured(mesh, model, cameras)
        points = textured.mesh.vertices
        transform = standing(cameras, points.amin(0), points.amax(0), self.options.metres)
        card = Card(width=cameras.width, height=cameras.height, background=model.scene.background)
        write_atomic(folder / FILE, write_glb(textured, transform, card, self.options.quality))
        for name in self.options.formats:
            WRITERS[name](folder, textured, transform, self.options.quality)
        return Exported(
            (ExportedFile.camera_to_image(FILE, cameras),),
            precision="one colour for all directions",
            target="glTF 2.0 viewers, engines and AR",
            unverified=("AR on a phone: none was used",),
            report=self._report(textured, model, lattice),
            extras=tuple(sorted(path.name for path in folder.iterdir() if path.name != FILE)),
        )

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Fewer triangles and texels take fewer bytes."""
        return ({}, {"triangles": 20_000, "texture": 1024}, {"triangles": 5_000, "texture": 1024})

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the mesh from the GLB, to be drawn by a rasteriser on the CPU.

        Raises:
            UserError: the file is missing or damaged.

        """
        path = folder / FILE
        textured, _, card = read_glb(read_file(path, _MOST_BYTES), str(path))

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            cameras = Cameras(poses.cpu(), intrinsics.cpu(), card.height, card.width)
            return drawn(textured, cameras, card.background)

        return Runner("nfcore's rasteriser (CPU), from the GLB as trimesh reads it", render, timed=False)

    def _surface(self, model: FittedTeacher, lattice: Lattice, cameras: Cameras) -> Mesh:
        options = self.options
        mesh = surface(opacities(model.teacher, lattice), lattice, options.level)
        mesh = seen_part(mesh, cameras, lattice, _SEEN_WITHIN)
        return simplified(without_floaters(mesh, options.floaters), options.triangles)

    def _textured(self, mesh: Mesh, model: FittedTeacher, cameras: Cameras) -> Textured:
        cut, places = unwrapped(mesh, self.options.texture)
        larger = max(1, round(_VIEW_SIDE / max(cameras.height, cameras.width)))
        fine = cameras.resized(larger * cameras.height, larger * cameras.width)
        return painted(cut, places, self.options.texture, fine, model.teacher)

    def _report(self, textured: Textured, model: FittedTeacher, lattice: Lattice) -> dict[str, object]:
        cameras = model.cameras.to("cpu")
        chosen = cameras[:: max(1, len(cameras) // _COMPARED)]
        return {
            "triangles": len(textured.mesh.triangles),
            "vertices": len(textured.mesh.vertices),
            "field": asdict(agreement(textured.mesh, model, chosen, lattice)),
        }
