"""The exporter ``webgl``: a fitted field as a page that draws it in real time, and as files for other apps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Exported, ExportedFile, FittedTeacher, Runner, Tolerance, UserError
from nfcore.io import read_text, write_atomic
from nfcore.viewer import viewer_card
from nfcore_webgl.archive import MOST_PAGE, Archive
from nfcore_webgl.baking import Baked, bake
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.limits import check_textures
from nfcore_webgl.models import copy_models
from nfcore_webgl.page import build_page
from nfcore_webgl.shaders import fragment_shader, vertex_shader, webgpu_shader
from nfcore_webgl.work import work_per_pixel

#: The page; and the folder of the same data and shaders for other programs.
PAGE, FILES = "baked_field.html", "field"


class WebGL(nfcore.Exporter[FittedTeacher]):
    """One HTML file that draws a fitted teacher at the screen's resolution with WebGL2; no network is needed.

    It takes a teacher that can be baked (``Teacher.baked``): ``deferred``. Vertices are stored in 8 bits; what no
    view from the region of the reference cameras shows is left out, and codes are rounded by how much views depend
    on them, as far as the option ``psnr`` allows. The
    folder ``field`` has the same data and the shaders for native apps and engines.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the WebGL exporter."""

        psnr: float | None = Field(
            60.0,
            ge=30,
            le=90,
            description="PSNR to the teacher that is to be kept in each of 24 views like the reference views, dB: "
            "vertices are rounded as far as that allows. None keeps all 8 bits, and takes twice the bytes",
        )
        prune: float = Field(
            0.0,
            ge=0,
            le=1,
            description="About what the cells of 4 x 4 x 4 voxels that are left out may add to a ray at most. "
            "0 leaves out nothing",
        )
        views: int = Field(
            40, ge=0, le=1000, description="Views, next to the reference cameras', that decide what images show"
        )
        texture_megabytes: int = Field(
            256, ge=1, description="Graphics memory that the page may need; phones have little"
        )
        title: str = Field(
            "Baked field", min_length=1, max_length=80, description="The page's title; in a run, the scene's name"
        )

        mesh: Path | None = Field(
            None,
            description="Folder of an export by nfcore-mesh: its GLB and USDZ are copied next to the page, which "
            "offers them, on Apple's devices as AR Quick Look",
        )

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """Other views than those that were compared may be a few dB below them."""
        return Tolerance(psnr=min(50.0, (self.options.psnr or 90.0) - 6))

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write the page and the folder ``field`` for ``model`` into ``folder``.

        Raises:
            UserError: the teacher can't be baked, or the field is too large for textures.

        """
        baked = bake(model, self.options.prune, self.options.psnr, self.options.views)
        header = baked.archive.header
        texture_bytes = check_textures(header, baked.voxels, self.options.texture_megabytes)
        models = copy_models(self.options.mesh, folder)
        card = {"format": 1, "models": models, **viewer_card(model, self.options.title, [model.cameras])}
        write_atomic(folder / PAGE, build_page(card, baked.archive))
        files = folder / FILES
        files.mkdir()
        baked.archive.write(files)
        write_atomic(files / "field.vert", vertex_shader())
        write_atomic(files / "field.frag", fragment_shader(header))
        write_atomic(files / "field.wgsl", webgpu_shader(header))
        return Exported(
            (ExportedFile.camera_to_image(PAGE, model.cameras),),
            precision=f"8 bits a value, {baked.psnr:.1f} dB to the teacher; fp32 arithmetic",
            target="browsers with WebGL2; apps and engines with GLSL ES 3.0 or WGSL",
            unverified=("frame rate on a phone: none was used",),
            report=_report(baked, texture_bytes, model.cameras[0]),
            extras=(FILES,),
        )

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """What is less close to the teacher takes fewer bytes."""
        return tuple({"psnr": psnr} for psnr in (None, 60.0, 50.0, 44.0))

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the field from the page, to be evaluated in torch.

        Raises:
            UserError: the page is missing or damaged.

        """
        path = folder / PAGE
        if not path.is_file():
            raise UserError(f"{path}: no such file; export the teacher to get it")
        archive = Archive.of_page(read_text(path, MOST_PAGE), str(path))
        evaluator = Evaluator(archive.header, *archive.decoded(str(path)))
        height, width = archive.header.height, archive.header.width

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            return evaluator.images(Cameras(poses.cpu(), intrinsics.cpu(), height, width))

        return Runner("an evaluator of the page's data in torch (CPU)", render, timed=False)


def _report(baked: Baked, texture_bytes: int, camera: Cameras) -> dict[str, object]:
    evaluator = Evaluator(baked.archive.header, *baked.archive.decoded(PAGE))
    return {
        "work of a pixel": work_per_pixel(evaluator, camera.to("cpu")),
        "bytes": {name: len(data) for name, data in baked.archive.blocks.items()},
        "texture bytes": texture_bytes,
        "vertices": baked.archive.header.blocks.codes.bytes // (1 + baked.archive.header.values),
        "values of a vertex": baked.archive.header.values,
        "macro cells": {"occupied": baked.cells, "kept": int(evaluator.cells.sum())},
        "least PSNR to the teacher in views like the reference views, dB": {
            "with all 8 bits": round(baked.unrounded, 2),
            "as written": round(baked.psnr, 2),
        },
    }
