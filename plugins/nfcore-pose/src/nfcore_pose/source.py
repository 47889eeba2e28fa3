"""The ray source ``photos``: photos without poses, or a video, posed once, then read as any data set."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from pydantic import ConfigDict, Field, model_validator

import nfcore
from nfcore import Cameras, Points, Scene, Split, UserError, Views
from nfcore.ui import Console
from nfcore_pose.estimation import posed_capture
from nfcore_pose.job import Posed
from nfcore_pose.options import PosingOptions

#: The ray source that reads what is written here.
_READER = "colmap"


class Photos(nfcore.RaySource):
    """Photos without poses, or a video: posed by COLMAP, kept in the cache, and read by the ray source ``colmap``.

    The poses depend on the photos' bytes and on the options alone: a later run reads the same. Options that are
    not its own are those of ``colmap``, such as ``test_every`` and ``multiple_of``.
    """

    class Options(PosingOptions):
        """Options of ``photos``; others are passed on to ``colmap``."""

        model_config = ConfigDict(extra="allow")

        path: Path = Field(description="Folder of photos, or a video")

        @model_validator(mode="after")
        def _reader_accepts_the_rest(self) -> Self:
            nfcore.plugins().load("ray_source", _READER).Options(path=self.path, **self.reading)
            return self

        @property
        def reading(self) -> dict[str, object]:
            """The options that are passed on, by name."""
            return self.model_extra or {}

    options: Options
    crop_option = "multiple_of"

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        with Console(pictures=False) as console:
            capture = posed_capture(options.path, options, console)
        self._notes = _shortcomings(capture.posed)
        passed_on = options.reading | {"path": capture.folder}
        try:
            self._posed = nfcore.plugins().build("ray_source", _READER, passed_on, image_size)
        except UserError as error:
            raise UserError(str(error).replace(str(capture.folder), str(options.path))) from None

    @property
    def name(self) -> str:
        """The name of the folder or the video."""
        return self.options.path.resolve().stem

    @property
    def scene(self) -> Scene:
        """Bounds and background, as ``colmap`` finds them."""
        return self._posed.scene

    @property
    def points(self) -> Points | None:
        """The points that were reconstructed along with the poses."""
        return self._posed.points

    @property
    def notes(self) -> tuple[str, ...]:
        """Photos without a pose and why, and what ``colmap`` has to say."""
        return (*self._notes, *self._posed.notes)

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        return self._posed.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras among the training cameras; see ``nfcore.RaySource``."""
        return self._posed.sample_cameras(n, generator)


def _shortcomings(posed: Posed) -> list[str]:
    if posed.registered == posed.photos:
        return list(posed.advice)
    without = f"{posed.photos - posed.registered} of {posed.photos} photos have no pose and are left out"
    return [f"{without}: {'; '.join(posed.advice)}"]
