"""The exporter ``points``: what a fitted teacher's views show, as points with colours and normals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Exported, ExportedFile, FittedTeacher, Runner, Tolerance, UserError
from nfcore.geometry import rasterise
from nfcore.io import read_file
from nfcore_mesh.cloud import Cloud, cloud, thinned
from nfcore_mesh.glb import Card
from nfcore_mesh.ply import read_cloud, write_cloud

#: The file, and the greatest size in bytes that is read.
FILE, _MOST_BYTES = "points.ply", 1 << 30
# Corners of a square around a point, and its two triangles.
_CORNERS = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
_HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])


class PointCloudExporter(nfcore.Exporter[FittedTeacher]):
    """A point cloud of a fitted teacher: depth and colour of its views, thinned to one point in each small cube.

    Takes any teacher. The PLY is in the scene's own world, as MeshLab, CloudCompare and Blender read it.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the point cloud exporter."""

        points: int = Field(500_000, ge=100, le=100_000_000, description="Number of points, at most")

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """Points have gaps and one colour: only a cloud of something else is this far from the teacher."""
        return Tolerance(psnr=15.0)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write ``points.ply`` for ``model`` into ``folder``.

        Raises:
            UserError: no view shows anything.

        """
        cameras = model.cameras.to("cpu")
        everything = cloud(model.teacher, cameras)
        if not len(everything.points):
            raise UserError("no points: the teacher's views show nothing that is opaque")
        chosen = thinned(everything, self.options.points)
        card = Card(width=cameras.width, height=cameras.height, background=model.scene.background)
        write_cloud(folder / FILE, chosen, card)
        return Exported(
            (ExportedFile.camera_to_image(FILE, cameras),),
            precision="one colour for all directions",
            target="programs that read PLY",
            report={"points": len(chosen.points), "distance, scene units": chosen.spacing},
        )

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Fewer points take fewer bytes."""
        return ({}, {"points": 100_000})

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the cloud from the PLY, to be drawn as squares as wide as the points' distance.

        Raises:
            UserError: the file is missing or damaged.

        """
        path = folder / FILE
        loaded, card = read_cloud(read_file(path, _MOST_BYTES), str(path))

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            cameras = Cameras(poses.cpu(), intrinsics.cpu(), card.height, card.width)
            background = torch.tensor(card.background)
            return torch.stack([_drawn(loaded, camera, background) for camera in cameras])

        return Runner("nfcore's rasteriser (CPU), from the PLY", render, timed=False)


def _drawn(points: Cloud, camera: Cameras, background: Tensor) -> Tensor:
    """Return the image (3, height, width) of a cloud, each point a square across its normal."""
    other = torch.eye(3)[points.normals.abs().argmin(1)]
    right = torch.nn.functional.normalize(torch.linalg.cross(other, points.normals), dim=1)
    across = torch.stack([right, torch.linalg.cross(points.normals, right)], 1)
    corners = points.points[:, None] + points.spacing * (_CORNERS @ across)
    triangles = 4 * torch.arange(len(corners))[:, None, None] + _HALVES
    hits = rasterise(corners.reshape(-1, 3), triangles.reshape(-1, 3), camera)
    hit = (hits.face >= 0)[..., None]
    colours = points.colours[(hits.face // 2).clamp_min(0)].float() / 255
    return torch.where(hit, colours, background).permute(2, 0, 1)
