"""transforms.json captures: nerfstudio's layout and Instant-NGP's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from pydantic import Field
from torch import Tensor

from nfcore import Split, UserError
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.frames import Frames, MaskUse
from nfcore_scenes.json_poses import read_json
from nfcore_scenes.photo_finder import PhotoFinder, normal_path
from nfcore_scenes.points import read_points
from nfcore_scenes.recording import Recording
from nfcore_scenes.transforms_file import Transforms


class TransformsJson(CaptureSource):
    """A scene with poses and lenses in transforms.json, as nerfstudio or Instant-NGP (colmap2nerf.py) writes it.

    The world is that of the poses, recentred if all cameras look the same way. The box and the depth range come
    from the points of ``ply_file_path``, else from ``aabb_scale`` with ``scale`` and ``offset``, else from the
    cameras. Pixels outside of masks are ignored. ``applied_transform`` is already part of the poses, so it is not
    inverted. The split is the file's, or every 8th photo by name is a test view.
    """

    class Options(CaptureOptions):
        """Options of ``transforms``."""

        path: Path = Field(description="Folder with transforms.json and the photos")
        file: Path = Field(
            Path("transforms.json"),
            description="The JSON file, relative to path; names in it are relative to its folder",
        )
        masks: MaskUse = Field(
            "ignore",
            description="What pixels outside of the frames' masks are: ignored, or transparent if the masks cut "
            "out an object; or off, to not use masks",
        )

    options: Options

    def read(self) -> Recording:
        """Read transforms.json."""
        folder = self.options.path
        file = folder / self.options.file
        transforms = read_json(file, Transforms)
        above = folder.resolve()
        finder = PhotoFinder(
            folder,
            self.options.file.parent,
            f"choose transforms:{above.parent} with its option file={above.name}/{self.options.file}",
        )
        names = list({frame.file_path: None for frame in transforms.frames})
        frames = Frames(finder.where_most_are(names), self.options.masks)
        frames.read(file, transforms, sorted(transforms.frames, key=lambda frame: normal_path(frame.file_path)))
        frames.check(file)
        points, notes = _points(file, transforms, finder)
        return Recording(
            where=file,
            photos=tuple(frames.photos),
            splits=_splits(file, transforms, finder),
            points=points and points[0],
            colours=points and points[1],
            box=transforms.cube(1.0) if transforms.aabb_scale else None,
            outer=transforms.cube(transforms.aabb_scale) if transforms.aabb_scale else None,
            notes=(*frames.notes(file), *notes),
        )


def _points(
    file: Path, transforms: Transforms, finder: PhotoFinder
) -> tuple[tuple[Tensor, Tensor | None] | None, tuple[str, ...]]:
    """Return the points with their colours, and notes."""
    if transforms.ply_file_path is None:
        return None, ()
    found = finder.find(transforms.ply_file_path, f"{file}: ply_file_path")
    if found is None:
        return None, (f"the points {transforms.ply_file_path} are missing: bounds are estimated from the cameras",)
    return read_points(found), ()


def _splits(file: Path, transforms: Transforms, finder: PhotoFinder) -> dict[Split, tuple[str, ...]] | None:
    """Return the names of the photos of each split of the file, or None without any."""
    named = (transforms.train_filenames, transforms.val_filenames, transforms.test_filenames)
    if transforms.train_filenames is None:
        return None
    frames = {normal_path(frame.file_path) for frame in transforms.frames}
    splits: dict[Split, tuple[str, ...]] = {}
    for split, names in zip(get_args(Split), named, strict=True):
        splits[split] = tuple(_names(file, names or (), split, frames, finder))
    return splits


def _names(file: Path, names: Iterable[str], split: str, frames: set[str], finder: PhotoFinder) -> Iterable[str]:
    for name in names:
        found = finder.find(name, f"{file}: {split}_filenames")
        if normal_path(name) not in frames:
            raise UserError(f"{file}: {split}_filenames has {name!r}, which no frame has as file_path")
        if found is not None:
            yield found.relative_to(finder.folder).as_posix()
