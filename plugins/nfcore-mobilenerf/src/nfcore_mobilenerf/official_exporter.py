"""The exporter ``mobilenerf``: the files of MobileNeRF's own viewer."""

from __future__ import annotations

from pathlib import Path

import nfcore
from nfcore import Exported, ExportedFile, FittedTeacher, Runner, Tolerance
from nfcore_mobilenerf.models import polygons_of, runner
from nfcore_mobilenerf.official_files import IMAGES, NETWORK, OBJ, read_files, write_files


class OfficialFiles(nfcore.Exporter[FittedTeacher]):
    """The files that the viewer of MobileNeRF (google-research/jax3d) reads: OBJ, PNG and JSON.

    It takes the teacher ``mobilenerf``. The files go into a folder ``NAME_phone`` next to the viewer's HTML, which
    shows them at ``?obj=NAME`` when served over HTTP.
    """

    takes = "teacher"

    @property
    def tolerance(self) -> Tolerance:
        """Two of the eight features have 7 bits."""
        return Tolerance(psnr=40)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write the files for ``model`` into ``folder``.

        Raises:
            UserError: the teacher has no polygons.

        """
        polygons, cameras = polygons_of(model), model.cameras
        write_files(polygons, model.scene.background, (cameras.height, cameras.width), folder)
        return Exported(
            tuple(ExportedFile.camera_to_image(name, cameras) for name in (OBJ, *IMAGES, NETWORK)),
            precision="features in 7 and 8 bits, fp32 arithmetic",
            target="the viewer of MobileNeRF: browsers with WebGL2",
            unverified=(
                "the viewer itself: it averages samples that hit nothing as zeros, so that its edges are "
                "darker, and its background is white",
            ),
            report={"polygons": len(polygons.quads), "texels of a polygon": polygons.texels**2},
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the files, to be rasterised here.

        Raises:
            UserError: a file is missing or damaged; it is named.

        """
        shape = read_files(folder)
        texture = shape.features, shape.opaque, shape.layers
        return runner(
            "a rasteriser of the files' triangles and texels (CPU)",
            shape.triangles,
            texture,
            shape.background,
            shape.size,
        )
