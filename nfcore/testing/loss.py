"""The standard tests of losses."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from nfcore.plugin.components import Kind
from nfcore.testing.base import Conformance
from nfcore.testing.contract import Broken, described, require, require_finite, rule


class LossConformance(Conformance):
    """Standard tests of a loss."""

    kind: ClassVar[Kind] = "loss"

    def make(self) -> Any:
        """Return a new loss."""
        return self.build()

    def inputs(self, count: int = 2, height: int = 5, width: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
        """Return image and target, and the teacher's opacity and depth if the loss uses them."""
        generator = torch.Generator().manual_seed(seed)
        image, target = (torch.rand(count, 3, height, width, generator=generator) for _ in range(2))
        if not self.make().uses_geometry:
            return image, target
        opacity = torch.rand(count, 1, height, width, generator=generator)
        depth = torch.where(opacity > 0.5, 1 + 4 * opacity, torch.zeros(()))
        return image, target, opacity, depth

    def empty(self) -> tuple[Tensor, ...]:
        """Return inputs where the teacher's scene is empty."""
        return *self.inputs()[:2], *(torch.zeros_like(tensor) for tensor in self.inputs()[2:])

    @rule("loss.scalar")
    def test_it_is_a_scalar_for_any_crops(self) -> None:
        """This includes a single pixel."""
        for size in ((1, 1, 1), (3, 5, 2), (1, 16, 16)):
            cost = self.make()(*self.inputs(*size))
            found = f"{cost.dtype} {tuple(cost.shape)}" if isinstance(cost, Tensor) else type(cost).__name__
            require(
                found == "torch.float32 ()", found=found, right="torch.float32 (), such as a mean over all pixels"
            )

    @rule("loss.finite")
    def test_it_is_finite(self) -> None:
        """Tested for black, white and perfect images, and an empty scene."""
        (image, *rest), nothing = self.inputs(), self.empty()
        cases = {
            "a black image": (torch.zeros_like(image), *rest),
            "a white image": (torch.ones_like(image), *rest),
            "the target itself": (rest[0], *rest),
            "opacity and depth 0": nothing,
        }
        for name, inputs in cases.items():
            cost = self.make()(*inputs)
            require_finite(cost, f"the loss of {name}", "loss.finite")

    @rule("loss.least-at-target")
    def test_nothing_costs_less_than_the_target(self) -> None:
        """Otherwise training would lead away from it."""
        loss = self.make()
        image, target, *geometry = self.inputs()
        perfect = float(loss(target, target, *geometry))
        for share in (1.0, 0.3, 0.01):
            cost = float(loss(target + share * (image - target), target, *geometry))
            require(
                cost >= perfect,
                found=f"{cost:.4g}, and {perfect:.4g} for the target",
                right="a minimum at the target",
            )

    @rule("loss.gradient")
    def test_its_gradient_reaches_the_image(self) -> None:
        """It is all that the student learns from."""
        gradient = self.gradient(*self.inputs())
        require(bool((gradient != 0).any()), found="a gradient of 0 everywhere", right="no detach() of image")

    @rule("loss.gradient-finite")
    def test_its_gradient_is_finite(self) -> None:
        """The square root of an error has infinite slope at 0, and one NaN makes all weights NaN."""
        _, *rest = self.inputs()
        for inputs in (self.inputs(), (rest[0], *rest), self.empty()):
            gradient = self.gradient(*inputs)
            bad = int((~gradient.isfinite()).sum())
            require(
                not bad, found=f"{bad} infinite values or NaN in the gradient", right="sqrt(x + eps), not sqrt(x)"
            )

    def gradient(self, image: Tensor, *rest: Tensor) -> Tensor:
        """Return the loss's gradient with respect to ``image``."""
        image = image.clone().requires_grad_()
        cost = self.make()(image, *rest)
        require(cost.requires_grad, found="a loss without a gradient", right="one computed from image")
        (gradient,) = torch.autograd.grad(cost, image, allow_unused=True)
        return torch.zeros_like(image) if gradient is None else gradient

    @rule("loss.no-weights")
    def test_it_has_no_weights(self) -> None:
        """They would not be trained."""
        names = [name for name, _ in self.make().named_parameters()]
        require(not names, found=f"parameters {', '.join(names)}", right="buffers for constants")

    @rule("loss.seed")
    def test_the_same_seed_gives_the_same_loss(self) -> None:
        """Training must be reproducible, also when it is resumed."""
        loss, costs = self.make(), []
        for _ in range(2):
            torch.manual_seed(3)
            costs.append(float(loss(*self.inputs())))
        require(
            costs[0] == costs[1], found=f"{costs[0]:.6g}, then {costs[1]:.6g}", right="no state between the calls"
        )

    @rule("loss.device")
    def test_it_moves_to_another_device(self) -> None:
        """The device is torch's ``meta``, which every machine has."""
        try:
            self.make().to("meta")(*(tensor.to("meta") for tensor in self.inputs()))
        except (RuntimeError, NotImplementedError) as error:
            raise Broken(described(error, self.cls), "constants from register_buffer") from error
