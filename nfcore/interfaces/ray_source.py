"""Ray sources: the posed photos of one scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.scene.mask_stack import MaskStack
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class ViewMetadata:
    """Metadata of one photo.

    Args:
        exposure: seconds of exposure times ISO speed over 100, or None where it is not known.
        time: when it was taken, in seconds from the first photo of the scene or in the data set's own unit; None
            where it is not known.

    >>> nfcore.ViewMetadata(time=2.5)
    ViewMetadata(exposure=None, time=2.5)

    """

    exposure: float | None = None
    time: float | None = None


@dataclass(frozen=True, repr=False)
class Views:
    """Posed photos of one size.

    Alpha marks the object; a mask marks pixels to ignore. An ignored pixel is neither trained on nor scored,
    whatever its colour and alpha are.

    Args:
        cameras: n cameras.
        images: (n, height, width, 3) float32 RGB in [0, 1], composited on the scene's background. A tensor, or in
            its place a ``PhotoStack`` that decodes photos when they are needed: index it by a number, a slice or
            a list of numbers, and take no more at once than fits into memory.
        alpha: (n, height, width) float32 in [0, 1], a tensor or the ``AlphaStack`` of a ``PhotoStack``; None where
            the photos have no alpha.
        names: n names for reports, such as file names.
        masks: (n, height, width) bool, True where a pixel is to be ignored; a tensor, or a ``MaskStack`` that
            decodes masks when they are needed; None to ignore none.
        metadata: of each photo; by default, nothing is known.

    Raises:
        UserError: masks or metadata do not fit the photos, or a mask ignores all of its photo.

    Example:
        >>> camera = Cameras(torch.eye(4)[None, :3], torch.tensor([[8.0, 8.0, 4.0, 3.0]]), height=6, width=8)
        >>> views = Views(camera, torch.ones(1, 6, 8, 3), None, ("a.png",))
        >>> views, views.metadata
        (Views(1 of 6x8), (ViewMetadata(exposure=None, time=None),))

    """

    cameras: Cameras
    images: Tensor | PhotoStack
    alpha: Tensor | AlphaStack | None
    names: tuple[str, ...]
    masks: Tensor | MaskStack | None = None
    metadata: tuple[ViewMetadata, ...] = ()

    def __post_init__(self) -> None:
        n, size = len(self.names), (self.cameras.height, self.cameras.width)
        if not self.metadata:
            object.__setattr__(self, "metadata", (ViewMetadata(),) * n)
        if len(self.metadata) != n:
            raise UserError(f"{n} views need metadata for each, not for {len(self.metadata)}")
        if self.masks is None:
            return
        if self.masks.shape != (n, *size) or self.masks.dtype != torch.bool:
            found = f"{tuple(self.masks.shape)} of {self.masks.dtype}"
            raise UserError(
                f"masks of {n} views of {size[0]}x{size[1]} must be {(n, *size)} of torch.bool, not {found}"
            )
        if isinstance(self.masks, MaskStack):
            return
        ignored = self.masks.flatten(1).all(1).nonzero()[:, 0].tolist()
        if ignored:
            raise UserError(f"the mask of photo {self.names[ignored[0]]!r} ignores all of it: leave the photo out")

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        extra = [what for what in ("alpha", "masks") if getattr(self, what) is not None]
        with_ = f", with {' and '.join(extra)}" if extra else ""
        return f"Views({len(self)} of {self.cameras.height}x{self.cameras.width}{with_})"

    def chosen(self, indices: Sequence[int]) -> Views:
        """Return the photos at ``indices``, in that order."""
        index = torch.tensor(indices, dtype=torch.long)
        images, alpha, masks = self.images, self.alpha, self.masks
        if isinstance(images, PhotoStack):
            images = images.chosen(indices)
            alpha = images.alpha if isinstance(alpha, AlphaStack) else alpha
        else:
            images = images[index]
        return Views(
            cameras=self.cameras[index],
            images=images,
            alpha=alpha if alpha is None or isinstance(alpha, AlphaStack) else alpha[index],
            names=tuple(self.names[i] for i in indices),
            masks=masks[index] if isinstance(masks, Tensor) else masks and masks.chosen(indices),
            metadata=tuple(self.metadata[i] for i in indices),
        )

    def to(self, device: torch.device | str) -> Views:
        """Return the photos, with all their data, on ``device``."""
        alpha, masks = self.alpha, self.masks
        images = self.images.to(device)
        if isinstance(images, PhotoStack):
            alpha = images.alpha if isinstance(alpha, AlphaStack) else alpha
        return replace(
            self,
            cameras=self.cameras.to(device),
            images=images,
            alpha=None if alpha is None else alpha.to(device),
            masks=None if masks is None else masks.to(device),
        )

    def pixels(self, index: Tensor) -> Tensor:
        """Return the colours (m, 3) float32 of some pixels; the rays to them are ``cameras.pixel_rays(index)``.

        Args:
            index: (m,) int64, linear indices into (n, height, width).

        """
        if isinstance(self.images, PhotoStack):
            return self.images.pixels(index)
        return self.images.reshape(-1, 3)[index.to(self.images.device)]

    def pixel_alpha(self, index: Tensor) -> Tensor | None:
        """Return the alpha (m,) float32 of some pixels, or None where the photos have none.

        Args:
            index: (m,) int64, linear indices into (n, height, width).

        """
        if isinstance(self.alpha, AlphaStack):
            return self.alpha.pixels(index)
        return None if self.alpha is None else self.alpha.reshape(-1)[index.to(self.alpha.device)]

    def pixel_masks(self, index: Tensor) -> Tensor | None:
        """Return which of some pixels are to be ignored, (m,) bool, or None where there are no masks.

        Args:
            index: (m,) int64, linear indices into (n, height, width).

        """
        if isinstance(self.masks, MaskStack):
            return self.masks.pixels(index)
        return None if self.masks is None else self.masks.reshape(-1)[index.to(self.masks.device)]

    def counted(self) -> Tensor:
        """Return the pixels that no mask ignores, (m,) int64 linear indices into (n, height, width)."""
        if self.masks is None:
            return torch.arange(self.images.shape[:3].numel())
        return (~self.masks[:]).flatten().nonzero()[:, 0]

    def ignored(self, index: int) -> Tensor | None:
        """Return the mask of one photo, (1, height, width) bool; None where there are no masks."""
        return None if self.masks is None else self.masks[index][None]

    @property
    def silhouettes(self) -> Silhouettes:
        """The alpha of each photo in turn; 1 where a mask ignores the pixel, as the object may be there."""
        return Silhouettes(self)


@dataclass(frozen=True)
class Silhouettes:
    """The silhouettes of views, (height, width) float32 in [0, 1] each; can be iterated over repeatedly."""

    views: Views

    def __iter__(self) -> Iterator[Tensor]:
        alpha, masks = self.views.alpha, self.views.masks
        for index in range(len(self.views) if alpha is not None else 0):
            assert alpha is not None
            yield alpha[index] if masks is None else torch.where(masks[index], 1.0, alpha[index])


@dataclass(frozen=True, repr=False)
class Points:
    """Sparse points on the surfaces of a scene, as structure from motion reconstructs them.

    Args:
        positions: (n, 3) finite float32, scene units, in the world of the cameras.
        colours: (n, 3) float32 RGB in [0, 1].

    >>> nfcore.Points(torch.zeros(2, 3), torch.ones(2, 3))
    Points(2)

    """

    positions: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Points({len(self)})"


class RaySource(ABC):
    """One scene's posed views and bounds, and novel poses for pseudo views.

    A source converts to nfcore's conventions once, when it reads: camera-to-world poses with OpenGL axes,
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

    #: Name of the option that crops photos to multiples of so many pixels, if there is one: a pipeline sets it to
    #: its student's scale where the user has not. A phone's 400x225 would divide by 5 and 25 alone.
    crop_option: ClassVar[str | None] = None

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

        Teachers that are initialised from points, such as Gaussians, use these. The same value on every access.
        """
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how the data set was read, one sentence each; by default nothing.

        Such as photos that are missing and left out. ``nfcore scene`` and ``nfcore run`` print these as warnings.
        """
        return ()

    @abstractmethod
    def views(self, split: Split) -> Views:
        """Return the posed photos of one split, in a fixed order.

        No photo is in two splits. ``train`` has at least two views and ``test`` at least one. A data set that
        has no ``val`` views returns some of the photos that it would otherwise train on, or an empty batch.
        """

    @abstractmethod
    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` novel cameras that view the scene, with the photos' size and focal lengths.

        They depend on ``generator`` alone: the same state gives the same cameras.
        """
