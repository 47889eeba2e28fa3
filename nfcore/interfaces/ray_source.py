"""Ray sources: one scene's posed photos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Views:
    """Posed photos of one size.

    Args:
        cameras: n cameras.
        images: (n, height, width, 3) float32 RGB in [0, 1], composited on the scene's background.
        alpha: (n, height, width) float32 in [0, 1], or None where the photos have none.
        names: n names for reports, such as file names.

    """

    cameras: Cameras
    images: Tensor
    alpha: Tensor | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def chosen(self, indices: Sequence[int]) -> Views:
        """Return the photos at ``indices``, in that order."""
        index = torch.tensor(indices, dtype=torch.long)
        return Views(
            cameras=self.cameras[index],
            images=self.images[index],
            alpha=None if self.alpha is None else self.alpha[index],
            names=tuple(self.names[i] for i in indices),
        )


@dataclass(frozen=True, repr=False)
class Points:
    """Sparse points on the surfaces of a scene, as structure from motion finds them.

    Args:
        positions: (n, 3) finite float32, scene units: the world that the cameras are in.
        colours: (n, 3) float32 RGB in [0, 1].

    """

    positions: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Points({len(self)})"


class RaySource(ABC):
    """One scene's posed views and bounds, and novel poses for pseudo views.

    A reader converts to the framework's conventions at the door, once: camera-to-world poses with OpenGL axes,
    images downscaled to ``image_size`` with premultiplied alpha and composited on the background. A source that
    reads from disk calls its option for that folder ``path``.

    Args:
        options: an instance of this class's ``Options``.
        image_size: the longer side in pixels that photos are scaled to; None keeps their size.

    Raises:
        UserError: from the constructor or from ``views``, for input that is missing or wrong: one or two lines
            that name the file and say what would be right.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: BaseOptions, image_size: int | None = None) -> None:
        self.options = options
        self.image_size = image_size

    def __repr__(self) -> str:
        size = "" if self.image_size is None else f", image_size={self.image_size}"
        return f"{type(self).__name__}({self.name!r}{size})"

    @property
    @abstractmethod
    def name(self) -> str:
        """A short name of the scene, for run folders and tables."""

    @property
    @abstractmethod
    def scene(self) -> Scene:
        """Depth range, box and background; the same value on every access."""

    @property
    def points(self) -> Points | None:
        """Sparse points with colours, or None, the default, where the data set has none.

        What begins from points, such as Gaussians, begins from these. The same value on every access.
        """
        return None

    @abstractmethod
    def views(self, split: Split) -> Views:
        """Return the posed photos of one split, in a fixed order.

        No photo is in two splits. ``train`` has at least two views and ``test`` at least one. A data set that
        names no ``val`` views returns some of the photos that it would otherwise train on, or an empty batch.
        """

    @abstractmethod
    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` novel cameras from where the scene may be looked at, with the photos' size and focus.

        They are drawn from ``generator`` alone: the same state gives the same cameras.
        """
