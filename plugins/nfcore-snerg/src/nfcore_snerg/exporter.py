"""The exporter ``snerg``: the official files of SNeRG, as its viewer reads them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Exported, ExportedFile, FittedTeacher, Runner, Tolerance, UserError
from nfcore_snerg.evaluator import Evaluator
from nfcore_snerg.files import PARAMETERS, SLICES, Origin, SceneParams, read_files, write_files
from nfcore_snerg.frame import ROTATION
from nfcore_snerg.layout import Layout, check_room
from nfcore_snerg.network import ENCODING, VALUES
from nfcore_snerg.teacher import Snerg

_WHITE = (1.0, 1.0, 1.0)


class SnergFiles(nfcore.Exporter[FittedTeacher]):
    """The files that SNeRG's official viewer shows; see ``files``.

    It takes the teacher ``snerg``, which is fitted as the viewer draws it.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the SNeRG exporter."""

        texture_megabytes: int = Field(
            1024, ge=1, description="Graphics memory that the viewer's textures may take"
        )

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """Rounded voxels leave 43 dB on lego, as the viewer skips what rounds to 0 in its small image."""
        return Tolerance(psnr=33.0)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write the official files for ``model`` into ``folder``.

        Raises:
            UserError: it is another teacher, its background is not white, or the atlas is too large for textures.

        """
        teacher = _require_snerg(model)
        atlas = teacher.renderer().atlas
        layout = Layout.of(atlas)
        check_room(atlas, layout, self.options.texture_megabytes)
        parameters = _parameters(model, teacher, layout)
        write_files(folder, parameters, layout.texels(atlas, teacher.table), layout.indices(atlas))
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        return Exported(
            (ExportedFile.camera_to_image(PARAMETERS, model.cameras),),
            precision="8 bits a value, fp32 arithmetic",
            target="SNeRG's official viewer (WebGL2)",
            unverified=("the viewer itself: it refuses a graphics card in software",),
            report={
                "voxels": len(teacher.voxels),
                "resolution": max(atlas.grid.shape),
                "blocks": len(atlas.rows),
                "texture megabytes": round(layout.megabytes, 1),
                "bytes": {
                    kind: sum(size for name, size in sizes.items() if name.startswith(kind))
                    for kind in ("rgba", "feature")
                },
            },
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the files, to be evaluated in torch as the viewer's shader does.

        Raises:
            UserError: a file is missing or damaged; names it.

        """
        parameters, atlas, indices = read_files(folder)
        evaluator = Evaluator(parameters, atlas, indices)
        height, width = parameters.nfcore.height, parameters.nfcore.width

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            return evaluator.images(Cameras(poses.cpu(), intrinsics.cpu(), height, width))

        return Runner("the official viewer's arithmetic in torch (CPU)", render, timed=False)


def _require_snerg(model: FittedTeacher) -> Snerg:
    teacher = model.teacher
    if not isinstance(teacher, Snerg):
        raise UserError(
            f"snerg: {type(teacher).__name__} has no SNeRG voxels: 'nfcore run snerg --scene RUN', with "
            "its run's folder, fits some to what it shows"
        )
    if teacher.scene.background != _WHITE:
        raise UserError(
            f"snerg: the viewer draws on white, and the scene's background is {teacher.scene.background}: fit the "
            "teacher to photos on white"
        )
    return teacher


def _parameters(model: FittedTeacher, teacher: Snerg, layout: Layout) -> SceneParams:
    grid, cameras = teacher.renderer().atlas.grid, model.cameras
    layers = [(weight.detach().cpu(), bias.detach().cpu()) for weight, bias in teacher.network.layers]
    first = layers[0][0]
    # The viewer has the direction's encoding first.
    layers[0] = (first.roll(ENCODING, 1), layers[0][1])
    assert first.shape[1] == VALUES + ENCODING
    (x, y, z), (low_x, low_y, low_z) = grid.shape, grid.low
    blocks_x, blocks_y, blocks_z = layout.blocks
    rotation = [[*row, 0.0] for row in ROTATION] + [[0.0, 0.0, 0.0, 1.0]]
    return SceneParams(
        voxel_size=grid.voxel,
        block_size=grid.block,
        grid_width=x,
        grid_height=y,
        grid_depth=z,
        atlas_width=blocks_x * layout.size,
        atlas_height=blocks_y * layout.size,
        atlas_depth=blocks_z * layout.size,
        num_slices=blocks_z * layout.size // SLICES,
        min_x=low_x,
        min_y=low_y,
        min_z=low_z,
        atlas_blocks_x=blocks_x,
        atlas_blocks_y=blocks_y,
        atlas_blocks_z=blocks_z,
        input_height=cameras.height,
        input_width=cameras.width,
        input_focal=float(cameras.intrinsics[0, 0]),
        worldspace=rotation,
        ndc=False,
        format="png",
        nfcore=Origin(
            centre=teacher.frame.centre, scale=teacher.frame.scale, width=cameras.width, height=cameras.height
        ),
        **{f"weights_{i}": weight.t().tolist() for i, (weight, _) in enumerate(layers)},
        **{f"bias_{i}": bias.tolist() for i, (_, bias) in enumerate(layers)},
    )
