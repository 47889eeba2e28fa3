"""What a reader finds in a folder before any photo is decoded: photos, points, bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from nfcore import Split
from nfcore.dataset import Box, Depths, moved_points, moved_poses
from nfcore_scenes.lenses import Lens

#: Names that a note lists.
_LISTED = 3
#: Two poses of one photo differ by at most this share of the cameras' extent, and by this in their axes.
_SAME_PLACE, _SAME_AXES = 0.01, 0.02


@dataclass(frozen=True, eq=False)
class PosedPhoto:
    """One photo before it is read.

    Args:
        name: its name in reports.
        file: the photo.
        pose: (3, 4) float64, camera to world, OpenGL axes.
        lens: its lens, possibly at another size than the file's, as for photos that were scaled down.
        mask: a grey image, black where the photo is to be ignored, or None.
        mask_is_white: whether it is white there, instead of black.
        cutout: a grey image, black where the photo is transparent, or None.
        time: when it was taken, in the data set's unit of time, or None.

    """

    name: str
    file: Path
    pose: Tensor
    lens: Lens
    mask: Path | None = None
    cutout: Path | None = None
    time: float | None = None
    mask_is_white: bool = False


@dataclass(frozen=True, eq=False)
class Recording:
    """A capture or a rendered data set as its files describe it.

    Args:
        where: the file that holds the poses, for errors.
        photos: in the order of their names, or of the file.
        splits: the names of the photos of each split, or None where the files don't say.
        points: (m, 3) float64 on surfaces, or None.
        colours: (m, 3) uint8 RGB of the points, or None.
        sightings: (k,) float64, the depths of points in the photos that see them, or None where that is not known.
        depths: of the nearest and the farthest surface, if the files say so.
        box: around what cameras look at, if the files say so.
        outer: a box around everything that is visible, if the files say so.
        keeps_world: whether the world is already upright and in its place; otherwise it is turned and moved.
        rendered: whether photos without alpha may show an object on a plain background, as renderings do.
        notes: what a user should know, one sentence each.

    """

    where: Path
    photos: tuple[PosedPhoto, ...]
    splits: dict[Split, tuple[str, ...]] | None = None
    points: Tensor | None = None
    colours: Tensor | None = None
    sightings: Tensor | None = None
    depths: Depths | None = None
    box: Box | None = None
    outer: Box | None = None
    keeps_world: bool = True
    rendered: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def poses(self) -> Tensor:
        """(n, 3, 4) float64."""
        return torch.stack([photo.pose for photo in self.photos])

    def noted(self, *notes: str) -> Recording:
        """Return the recording with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def moved(self, frame: Tensor) -> Recording:
        """Return the recording after a rigid transform (4, 4) of its world; without boxes if it turns."""
        poses = moved_poses(frame, self.poses)
        shift = frame[:3, 3].tolist() if torch.equal(frame[:3, :3], torch.eye(3, dtype=frame.dtype)) else None
        return replace(
            self,
            photos=tuple(replace(photo, pose=pose) for photo, pose in zip(self.photos, poses, strict=True)),
            points=None if self.points is None else moved_points(frame, self.points),
            box=_shifted(self.box, shift),
            outer=_shifted(self.outer, shift),
        )

    def without_repetitions(self) -> Recording:
        """Return the recording with each photo once: a copy in train would give away the one in test.

        A photo is a copy if it is the same file, or has the same bytes and, as if estimated twice, nearly the same
        pose.
        """
        by_file: dict[Path, PosedPhoto] = {}
        by_size: dict[int, list[PosedPhoto]] = {}  # few photos of a capture have the same number of bytes
        copies: dict[str, str] = {}
        eyes = self.poses[:, :, 3]
        tolerance = _SAME_PLACE * float((eyes - eyes.mean(0)).norm(dim=1).max()) if len(eyes) else 0.0
        for photo in self.photos:
            file = photo.file.resolve()
            alike = by_size.setdefault(_bytes(file), [])
            twin = by_file.get(file) or next((one for one in alike if _is_copy(photo, one, tolerance)), None)
            if twin is not None:
                copies[photo.name] = twin.name
            else:
                by_file[file] = photo
                alike.append(photo)
        if len(by_file) == len(self.photos):
            return self
        splits = self.splits and {
            split: tuple(copies.get(name, name) for name in names) for split, names in self.splits.items()
        }
        once = replace(self, photos=tuple(by_file.values()), splits=splits)
        return once.noted(f"{counted(copies, self.photos)} are there twice: each is read once")

    def chosen(self, photos: Sequence[PosedPhoto]) -> Recording:
        """Return the recording with some of its photos."""
        return replace(self, photos=tuple(photos))


def counted(names: Iterable[str], whole: Sequence[object]) -> str:
    """Return how many of a recording's photos are concerned, and the first names.

    >>> counted(["a.png", "b.png"], range(16))
    '2 of 16 photos (a.png, b.png)'
    """
    listed = list(names)
    dots = ", ..." if len(listed) > _LISTED else ""
    return f"{len(listed)} of {len(whole)} photos ({', '.join(listed[:_LISTED])}{dots})"


def _is_copy(one: PosedPhoto, other: PosedPhoto, tolerance: float) -> bool:
    """Whether two photos have the same bytes, and poses that differ by no more than ``tolerance`` and a degree."""
    change = (one.pose - other.pose).abs()
    near = float(change[:, 3].norm()) <= tolerance and float(change[:, :3].max()) <= _SAME_AXES
    return near and _same_bytes(one.file, other.file)


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _bytes(file: Path) -> int:
    """Return a file's size, -1 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _shifted(box: Box | None, shift: list[float] | None) -> Box | None:
    if box is None or shift is None:
        return None
    low, high = (tuple(value + by for value, by in zip(corner, shift, strict=True)) for corner in box)
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
