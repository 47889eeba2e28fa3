"""The exporter ``splats``: a fitted teacher as 3D Gaussians, in files that any viewer of splats opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from torch import Tensor

import nfcore
from nfcore import (
    Budget,
    Cameras,
    Exported,
    ExportedFile,
    FittedTeacher,
    OrbitRegion,
    Reporter,
    Runner,
    Tolerance,
    UserError,
)
from nfcore.evaluation import psnr
from nfcore.geometry import ForwardRegion, NearbyRegion
from nfcore.io import read_file, write_atomic
from nfcore_splats.descent import Descent
from nfcore_splats.frame import FLIPPED, viewer_rotation
from nfcore_splats.gaussians import Gaussians
from nfcore_splats.ply import ply_comments, read_ply, write_ply
from nfcore_splats.rasteriser import rendering
from nfcore_splats.sanity import MOST_BYTES, cleaned
from nfcore_splats.spz import read_spz, write_spz
from nfcore_splats.surface import look, on_surface

#: The files.
PLY, SPZ = "splats.ply", "splats.spz"
_CARD = "nfcore "
# Gaussians fainter than this are left out of the files: they are not drawn.
_FAINTEST = 1 / 255
# Reference cameras at which the SPZ is compared with the teacher.
_COMPARED = 8
Row = tuple[float, float, float]


class Card(nfcore.Options):
    """What the PLY's comment says: the images' size, the background, and the turn from the scene's world."""

    width: int = Field(ge=1, le=1 << 16)
    height: int = Field(ge=1, le=1 << 16)
    background: Row
    rotation: tuple[Row, Row, Row]


class SplatExporter(nfcore.Exporter[FittedTeacher]):
    """3D Gaussians of a fitted teacher, for viewers of splats.

    Flat Gaussians on the surface that the teacher's views show, tuned on views from novel cameras between the
    reference cameras. Takes any teacher. ``splats.ply`` is in the reference code's layout, ``splats.spz`` is much
    smaller; both stand upright as viewers expect it.
    """

    takes = "teacher"

    class Options(nfcore.Options):
        """Options of the splat exporter."""

        splats: int = Field(50_000, ge=10, le=2_000_000, description="Number of Gaussians, at most")
        degree: int = Field(
            2, ge=0, le=3, description="Degree of the harmonics of colours: 0 is one for all directions"
        )
        views: int = Field(
            120, ge=2, le=10_000, description="Number of the teacher's views that they are tuned on"
        )
        steps: int = Field(1000, ge=0, le=1_000_000, description="Number of optimisation steps, a view each")
        minutes: float | None = Field(None, gt=0, description="Ends the tuning earlier, after this time")

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """Gaussians approximate the field: only those of something else are this far from it."""
        return Tolerance(psnr=20.0)

    def export(self, model: FittedTeacher, folder: Path) -> Exported:
        """Write ``splats.ply`` and ``splats.spz`` for ``model`` into ``folder``.

        Raises:
            UserError: no view shows anything.

        """
        cameras = model.cameras.to("cpu")
        tuned = self._tuned(model, cameras)
        rotation = viewer_rotation(cameras)
        turned = tuned.rotated(rotation)
        card = Card(
            width=cameras.width, height=cameras.height, background=model.scene.background,
            rotation=tuple(tuple(row) for row in rotation.tolist()),
        )  # fmt: skip
        packed = write_spz(turned.rotated(FLIPPED))
        write_atomic(folder / PLY, write_ply(turned, (_CARD + card.model_dump_json(),)))
        write_atomic(folder / SPZ, packed)
        unpacked = read_spz(packed, SPZ).rotated(FLIPPED)
        return Exported(
            (ExportedFile.camera_to_image(PLY, cameras),),
            precision="fp32 (PLY), 8 bits (SPZ)",
            target="viewers of 3D Gaussian splats",
            unverified=("other programs than nfcore: none was used",),
            report={
                "splats": len(tuned),
                "degree": tuned.degree,
                "PLY, bytes": (folder / PLY).stat().st_size,
                "SPZ, bytes": len(packed),
                "SPZ, dB to the teacher": _agreement(unpacked, card, model, cameras),
            },
            extras=(SPZ,),
        )

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Fewer Gaussians with fewer harmonics take fewer bytes."""
        return ({}, {"degree": 1}, {"splats": 20_000, "degree": 1}, {"splats": 10_000, "degree": 0})

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the Gaussians from the PLY, to be drawn by nfcore's rasteriser.

        Raises:
            UserError: the file is missing or damaged.

        """
        path = folder / PLY
        data = read_file(path, MOST_BYTES)
        gaussians, _ = cleaned(read_ply(data, str(path)), str(path))
        card = _card(data, str(path))
        return Runner(
            "nfcore's rasteriser of Gaussians (CPU), from the PLY",
            lambda poses, intrinsics: _drawn(gaussians, card, poses, intrinsics),
            timed=False,
        )

    def _tuned(self, model: FittedTeacher, cameras: Cameras) -> Gaussians:
        options, generator = self.options, torch.Generator().manual_seed(0)
        seen = look(model.teacher, novel_cameras(model, cameras, options.views, generator))
        begin = on_surface(seen, options.splats, options.degree, generator)
        budget = Budget(options.steps, None if options.minutes is None else 60 * options.minutes)
        size = float((begin.means.amax(0) - begin.means.amin(0)).max()) / 2
        background = torch.tensor(model.scene.background)
        tuned = Descent(begin, seen.targets, background, size, seed=0).run(budget, Reporter())
        kept, _ = cleaned(tuned, "the tuned Gaussians")
        return kept.chosen(kept.opacity_logits.sigmoid() > _FAINTEST)


def novel_cameras(model: FittedTeacher, cameras: Cameras, count: int, generator: torch.Generator) -> Cameras:
    """Return ``count`` cameras between the model's reference cameras, which stay unseen for the comparison."""
    if model.scene.unbounded and len(cameras) > 1:
        return NearbyRegion.around(cameras).sample(count, generator)
    region = ForwardRegion.around(cameras) if model.scene.forward_facing else OrbitRegion.around(cameras)
    poses = region.sample(count, generator)
    return Cameras(poses, cameras.intrinsics[:1].expand(count, 4), cameras.height, cameras.width)


def _drawn(gaussians: Gaussians, card: Card, poses: Tensor, intrinsics: Tensor) -> Tensor:
    """Return images (n, 3, h, w) at poses in the scene's world."""
    turned = torch.tensor(card.rotation) @ poses.cpu().float()
    cameras = Cameras(turned, intrinsics.cpu().float(), card.height, card.width)
    return rendering(gaussians, cameras, card.background).rgb.permute(0, 3, 1, 2)


def _agreement(gaussians: Gaussians, card: Card, model: FittedTeacher, cameras: Cameras) -> float:
    some = cameras[:: max(1, len(cameras) // _COMPARED)]
    images = _drawn(gaussians, card, some.poses, some.intrinsics)
    return round(float(psnr(images, model.render(some)).mean()), 2)


def _card(data: bytes, where: str) -> Card:
    try:
        (text,) = (line for line in ply_comments(data, where) if line.startswith(_CARD))
        return Card.model_validate_json(text.removeprefix(_CARD))
    except (ValueError, ValidationError, UserError):
        raise UserError(f"{where}: not splats that nfcore wrote; export it again") from None
