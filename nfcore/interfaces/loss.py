"""Losses: how far a student's image is from its target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from nfcore.options import Options as BaseOptions

#: Why fine-tuning refuses such a loss.
USES_GEOMETRY = "uses the teacher's opacity and depth, which photos do not have: choose another loss"


class Loss(nn.Module, ABC):
    """The loss that training minimises: how far a batch of a student's images is from their targets.

    The images are crops of one size, each from its own view. Distillation compares with pseudo views and photos,
    fine-tuning with photos. A loss has no weights: nothing in it is trained or saved. Random numbers, if it draws
    any, come from torch's default generator, which training seeds.

    >>> import torch
    >>> class L1(Loss):
    ...     def forward(self, image, target, opacity=None, depth=None):
    ...         return (image - target).abs().mean()
    >>> L1(L1.Options())(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
    tensor(1.)

    Args:
        options: an instance of this class's ``Options``.

    Attributes:
        uses_geometry: whether ``forward`` gets the teacher's opacity and depth, to weight pixels. Pseudo views
            then store them too: 6 bytes a pixel, not 3. Fine-tuning has no teacher, so it refuses such a loss.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    uses_geometry: ClassVar[bool] = False

    def __init__(self, options: BaseOptions) -> None:
        super().__init__()
        self.options = options

    @abstractmethod
    def forward(
        self, image: Tensor, target: Tensor, opacity: Tensor | None = None, depth: Tensor | None = None
    ) -> Tensor:
        """Return the loss, a float32 scalar, for any number and size of crops.

        It is finite, and least where ``image`` equals ``target``. Its gradient with respect to ``image`` is
        finite, also where ``image`` equals ``target``.

        Args:
            image: (n, 3, h, w) float32 in [0, 1], rendered by the student; gradients flow to it.
            target: (n, 3, h, w) float32 in [0, 1], composited on the scene's background.
            opacity: (n, 1, h, w) float32 in [0, 1], the teacher's, in steps of 1/255; None
                unless ``uses_geometry``.
            depth: (n, 1, h, w) float32, the teacher's expected depth in the rays' ``t``, to three digits; 0 where
                nothing is opaque; None unless ``uses_geometry``.

        """
