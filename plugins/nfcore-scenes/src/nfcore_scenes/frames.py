"""Posed photos from the frames of transforms.json and transforms_SPLIT.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nfcore import UserError
from nfcore.dataset import photo_header
from nfcore_scenes.json_poses import rigid_pose
from nfcore_scenes.photo_finder import PhotoFinder, normal_path
from nfcore_scenes.recording import PosedPhoto, counted
from nfcore_scenes.transforms_file import Frame, Transforms, lens_of

#: What the pixels that a frame's mask leaves out mean.
MaskUse = Literal["ignore", "transparent", "off"]


@dataclass
class Frames:
    """What the frames of JSON files describe, and what is missing.

    Args:
        finder: finds their files.
        masks: what masks mean.

    Attributes:
        photos: those that are there.
        missing: the names of frames whose photos are not.
        unposed: the names of frames whose poses are not finite.
        unmasked: the names of frames whose masks are not there.

    """

    finder: PhotoFinder
    masks: MaskUse
    photos: list[PosedPhoto] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unposed: list[str] = field(default_factory=list)
    unmasked: list[str] = field(default_factory=list)

    def read(self, file: Path, transforms: Transforms, frames: Sequence[Frame]) -> list[str]:
        """Add the frames of one file; return the names of those that can be used, in their order.

        Raises:
            UserError: a lens or a pose is wrong, or a file is outside of the data set's folder.

        """
        names = []
        for frame in frames:
            photo = self._photo(file, transforms, frame)
            if photo is not None:
                self.photos.append(photo)
                names.append(photo.name)
        return names

    def _photo(self, file: Path, transforms: Transforms, frame: Frame) -> PosedPhoto | None:
        where = f"{file}: frame {frame.file_path!r}"
        found = self.finder.find(frame.file_path, f"{file}: file_path")
        pose = rigid_pose(frame.transform_matrix, f"{file}: transform_matrix of {frame.file_path!r}")
        if found is None:
            self.missing.append(normal_path(frame.file_path))
            return None
        if pose is None:
            self.unposed.append(normal_path(frame.file_path))
            return None
        mask = self._mask(file, frame)
        # Instant-NGP's mask of what moves is white, next to the photo and not named in the file.
        moving = found.with_name(f"dynamic_mask_{found.stem}.png")
        hidden = moving if mask is None and self.masks != "off" and moving.is_file() else None
        return PosedPhoto(
            found.relative_to(self.finder.folder).as_posix(),
            found,
            pose,
            lens_of(transforms, frame, photo_header(found).size, where),
            mask=hidden or (mask if self.masks == "ignore" else None),
            mask_is_white=hidden is not None,
            cutout=mask if self.masks == "transparent" else None,
            time=frame.time,
        )

    def _mask(self, file: Path, frame: Frame) -> Path | None:
        if frame.mask_path is None or self.masks == "off":
            return None
        mask = self.finder.find(frame.mask_path, f"{file}: mask_path")
        if mask is None:
            self.unmasked.append(normal_path(frame.mask_path))
        return mask

    def check(self, file: Path) -> None:
        """Check that there are photos.

        Raises:
            UserError: there are none; names the first that is missing.

        """
        if not (self.photos or self.missing or self.unposed):
            raise UserError(f"{file}: frames is empty: it must list the photos")
        if not self.photos:
            first = (self.missing or self.unposed)[0]
            raise UserError(
                f"{file}: none of its {len(self.missing) + len(self.unposed)} photos can be read: "
                f"{self.finder.folder / first} is missing or has no finite pose"
            )

    def notes(self, file: Path) -> tuple[str, ...]:
        """Return what was left out, one sentence each."""
        whole = [*self.photos, *self.missing, *self.unposed]
        folder = self.finder.folder / "masks"
        masked = any(photo.mask or photo.cutout for photo in self.photos)
        unused = folder.is_dir() and not masked and self.masks != "off"
        moved = next(iter(self.finder.moved.items()), None)
        times = {photo.time for photo in self.photos if photo.time is not None}
        found = [
            f"{counted(self.missing, whole)} of {file.name} are missing and left out" if self.missing else "",
            f"{counted(self.unposed, whole)} of {file.name} have a pose with NaN and are left out"
            if self.unposed
            else "",
            f"photos are not where {file.name} says, but elsewhere: {normal_path(moved[0])} is {moved[1]}"
            if moved
            else "",
            f"{folder} is not used: no frame has a mask_path" if unused else "",
            f"{len(self.unmasked)} masks are missing, such as {self.unmasked[0]}" if self.unmasked else "",
            "photos were taken at different times (the field time): what moves is learned as a blur, since scenes "
            "are static"
            if len(times) > 1
            else "",
        ]
        return tuple(text for text in found if text)
