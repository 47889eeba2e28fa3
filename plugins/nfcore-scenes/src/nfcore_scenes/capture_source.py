"""What all readers of posed photos share: a reader says what is in a folder, and this is its ray source."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import torch

import nfcore
from nfcore import Cameras, Points, Scene, Split, UserError, Views
from nfcore.dataset import misread, photo_header, read_photo
from nfcore_scenes.bounds import scene_of
from nfcore_scenes.capture import Capture
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.division import divided
from nfcore_scenes.novel_poses import novel_cameras, shell_cameras
from nfcore_scenes.recording import PosedPhoto, Recording, counted
from nfcore_scenes.world import world_of

#: Pixels along each side at which a mask is looked at for whether it shows anything.
_COARSE = 64
#: Positions that differ by no more, scene units or a share of their coordinates, are one place.
_ONE_PLACE = 1e-9


class CaptureSource(nfcore.RaySource):
    """A ray source of photos with poses. A subclass defines ``Options`` and ``read``; all else is the same.

    Photos are read once each, undistorted, and divided by the files' own split or every n-th. The world is centred
    in float64, then turned upright, recentred or kept. Bounds come from the files, points, silhouettes or cameras.
    """

    options: CaptureOptions
    crop_option = "multiple_of"

    def __init__(self, options: CaptureOptions, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        if not options.path.is_dir():
            raise UserError(f"there is no folder {options.path}: 'path' is the data set's folder")
        recording = _without_ignored(self.read().without_repetitions())
        if not recording.photos:
            raise UserError(f"{recording.where}: none of its photos can be read")
        _check_parallax(recording)
        self._world = world_of(recording, options)
        splits, notes = divided(self._world.recording, options)
        self._capture = Capture(splits, image_size, options)
        said = misread(recording.poses)
        self._notes = (*self._world.recording.notes, *notes, *filter(None, (said, self._capture.cropped)))

    @abstractmethod
    def read(self) -> Recording:
        """Return what the folder holds, without decoding a photo.

        Raises:
            UserError: a file is missing or wrong; one or two lines that name it.

        """

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.options.path.resolve().name

    @cached_property
    def scene(self) -> Scene:
        """Bounds from the files, points, silhouettes or cameras."""
        return scene_of(self._capture, self._world, self.options)

    @cached_property
    def points(self) -> Points | None:
        """The data set's points with colours, in the scene's world."""
        recording = self._world.recording
        if recording.points is None or recording.colours is None or not len(recording.points):
            return None
        return Points(recording.points.float(), recording.colours.float() / 255)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or looks wrong."""
        return self._notes

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        return self._capture.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras near the training cameras; see ``nfcore.RaySource``."""
        train, scene = self._capture.cameras("train"), self.scene
        if self._world.recording.rendered and not scene.unbounded and not scene.forward_facing:
            return shell_cameras(train, n, generator)
        return novel_cameras(train, scene.forward_facing, n, generator)


def _check_parallax(recording: Recording) -> None:
    """Check that the photos show depth.

    Raises:
        UserError: all were taken from one place.

    """
    eyes = recording.poses[:, :, 3]
    if len(eyes) > 1 and float((eyes - eyes[0]).norm(dim=1).max()) <= _ONE_PLACE * max(1.0, float(eyes[0].norm())):
        raise UserError(
            f"{recording.where}: all {len(eyes)} photos were taken from one place, so that nothing has a depth: "
            "they must be from different places"
        )


def _without_ignored(recording: Recording) -> Recording:
    """Return the recording without photos that their mask ignores altogether."""
    ignored = [photo for photo in recording.photos if _ignored(photo)]
    if not ignored:
        return recording
    names = [photo.name for photo in ignored]
    kept = [photo for photo in recording.photos if photo not in ignored]
    return recording.chosen(kept).noted(f"{counted(names, recording.photos)} have masks that ignore all: left out")


def _ignored(photo: PosedPhoto) -> bool:
    if photo.mask is None:
        return False
    size = photo_header(photo.mask).size
    pixels = read_photo(photo.mask, size, (min(size[0], _COARSE), min(size[1], _COARSE)))[..., :3]
    return int(pixels.min()) > 0 if photo.mask_is_white else int(pixels.max()) == 0
