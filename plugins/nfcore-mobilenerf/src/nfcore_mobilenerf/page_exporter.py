"""The exporter ``mobilenerf-page``: polygons as one HTML file that rasterises them in real time."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

import nfcore
from nfcore import Exported, ExportedFile, FittedTeacher, Runner, Tolerance
from nfcore.io import read_file, write_atomic
from nfcore.viewer import viewer_card
from nfcore_mobilenerf.models import polygons_of, runner
from nfcore_mobilenerf.page import build_page
from nfcore_mobilenerf.page_data import PageData
from nfcore_mobilenerf.rasterizer import Triangles

#: The page.
PAGE = "polygons.html"


class PolygonPage(nfcore.Exporter[FittedTeacher]):
    """One HTML file that draws polygons at the screen's resolution with WebGL2; no network is needed.

    It takes the teacher ``mobilenerf``. Polygons are rasterised with 2 x 2 samples a pixel.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the page."""

        title: str = Field("Polygons", min_length=1, max_length=80, description="The page's title")

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """Features are in 8 bits in torch too."""
        return Tolerance(psnr=50)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write the page for ``model`` into ``folder``.

        Raises:
            UserError: the teacher has no polygons.

        """
        polygons = polygons_of(model)
        data = PageData.of_polygons(polygons, model.scene, model.cameras.width, model.cameras.height)
        card = {"format": 1, **viewer_card(model, self.options.title, [model.cameras])}
        write_atomic(folder / PAGE, build_page(card, data))
        return Exported(
            (ExportedFile.camera_to_image(PAGE, model.cameras),),
            precision="features in 8 bits, fp32 arithmetic",
            target="browsers with WebGL2",
            unverified=("frame rate on a phone: none was used",),
            report={
                "polygons": len(polygons.quads),
                "texels of a polygon": polygons.texels**2,
                "bytes": {name: len(block) for name, block in data.blocks.items()},
                "texture bytes": 8 * len(polygons.features),
            },
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the polygons from the page, to be rasterised here.

        Raises:
            UserError: the page is missing or damaged.

        """
        path = folder / PAGE
        page = read_file(path).decode("utf-8", "replace")
        data = PageData.of_page(page, str(path))
        polygons, header = data.polygons(str(path)), data.header
        triangles = Triangles.of_quads(polygons.quads, polygons.texels)
        texture = polygons.features.float() / 255, polygons.opaque, polygons.layers
        size = header.height, header.width
        return runner("a rasteriser of the page's data (CPU)", triangles, texture, header.scene.background, size)
