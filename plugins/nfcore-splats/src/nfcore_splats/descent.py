"""Gaussians fitted to views: gradient descent on the squared error, with the rasteriser's own gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Budget, Cameras, NfcoreError, Reporter
from nfcore.io import State
from nfcore.scene import AlphaStack, MaskStack, PhotoStack
from nfcore_splats.gaussians import Gaussians
from nfcore_splats.rasteriser import draw, prepare

#: Step sizes of Adam for each tensor; those of means are per unit of the scene's size. All decay to this share.
_RATES = {"means": 3e-3, "log_scales": 5e-2, "quaternions": 1e-2, "opacity_logits": 5e-2, "harmonics": 3e-2}
_LAST = 0.05
# Harmonics above degree 0 take smaller steps, as in the reference code.
_HIGHER = 0.1
_BETAS, _EPSILON = (0.9, 0.99), 1e-15
# Weight of the squared error of opacities: without it, floaters of the background's colour would cost nothing.
_OPACITY = 0.3
_REPORT_PERIOD, _MEMORY = 10, 0.95


@dataclass(frozen=True)
class Targets:
    """Target images of n views.

    Args:
        cameras: n.
        images: (n, h, w, 3) float32 RGB on the background.
        opacity: (n, h, w) float32, or None.
        masks: (n, h, w) bool, pixels to ignore, or None.

    """

    cameras: Cameras
    images: Tensor | PhotoStack
    opacity: Tensor | AlphaStack | None = None
    masks: Tensor | MaskStack | None = None


class Descent:
    """One fit of Gaussians: everything that changes from step to step.

    Args:
        gaussians: the initial ones; their number does not change.
        targets: the images to fit.
        background: (3,) RGB.
        size: of the scene, scene units.
        seed: of the choice of views.

    """

    def __init__(self, gaussians: Gaussians, targets: Targets, background: Tensor, size: float, seed: int) -> None:
        self.targets, self.background, self.size = targets, background, size
        self.tensors = {name: tensor.clone() for name, tensor in gaussians.tensors.items()}
        self.means = {name: torch.zeros_like(tensor) for name, tensor in self.tensors.items()}
        self.squares = {name: torch.zeros_like(tensor) for name, tensor in self.tensors.items()}
        self.generator = torch.Generator().manual_seed(seed)
        self.steps = 0

    @property
    def gaussians(self) -> Gaussians:
        """The current Gaussians."""
        return Gaussians.of_tensors(self.tensors)

    def run(self, budget: Budget, reporter: Reporter) -> Gaussians:
        """Take all steps of the budget that are left.

        Raises:
            NfcoreError: the fit diverged.

        """
        prepare()
        spent = self._restore(reporter.restore())
        clock, error = budget.clock(spent), None
        reporter.start(budget.steps)
        while (progress := clock.progress(self.steps)) < 1:
            found = self.step(progress)
            error = found if error is None else _MEMORY * error + (1 - _MEMORY) * found
            if self.steps % _REPORT_PERIOD == 0:
                reporter.step(self.steps, psnr=-10 * float(torch.tensor(max(error, 1e-10)).log10()))
            if reporter.image_due():
                reporter.image("teacher", self._preview())
            reporter.checkpoint(self.steps, lambda: self._state(clock.spent))
        return self.gaussians

    def step(self, progress: float) -> float:
        """Take one step on one view at ``progress`` in [0, 1); return its squared error before."""
        index = int(torch.randint(len(self.targets.cameras), (1,), generator=self.generator))
        drawn = draw(self.gaussians, self.targets.cameras[index], self.background, gradients=True)
        to_image = drawn.image - self.targets.images[index]
        to_opacity = torch.zeros_like(drawn.opacity)
        if self.targets.opacity is not None:
            to_opacity = _OPACITY * (drawn.opacity - self.targets.opacity[index])
        if self.targets.masks is not None:
            to_image = to_image.masked_fill(self.targets.masks[index][..., None], 0)
            to_opacity = to_opacity.masked_fill(self.targets.masks[index], 0)
        error = float((to_image**2).mean())
        if not error < float("inf"):
            raise NfcoreError(f"the fit of Gaussians diverged at step {self.steps}: fewer splats may help")
        self._descend(drawn.backward(to_image, to_opacity), _LAST**progress)
        return error

    def _descend(self, gradients: dict[str, Tensor], share: float) -> None:
        """Take Adam's step (Kingma and Ba 2015)."""
        self.steps += 1
        correction = [1 - beta**self.steps for beta in _BETAS]
        for name, gradient in gradients.items():
            mean = self.means[name].lerp_(gradient, 1 - _BETAS[0])
            square = self.squares[name].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            change = (mean / correction[0]) / ((square / correction[1]).sqrt_() + _EPSILON)
            if name == "harmonics":
                change[:, 1:] *= _HIGHER
            rate = share * _RATES[name] * (self.size if name == "means" else 1)
            self.tensors[name].sub_(change, alpha=rate)
        self.tensors["quaternions"] = F.normalize(self.tensors["quaternions"], dim=1)

    def _preview(self) -> Tensor:
        return draw(self.gaussians, self.targets.cameras[0], self.background).image.clamp(0, 1)

    def _state(self, spent: float) -> State:
        moments = {"means": self.means, "squares": self.squares}
        return {"tensors": self.tensors, **moments, "steps": self.steps, "spent": spent,
                "generator": self.generator.get_state()}  # fmt: skip

    def _restore(self, state: State) -> float:
        """Resume from a checkpoint, if there is one; return the seconds that were spent before."""
        if state is None:
            return 0.0
        self.tensors, self.means, self.squares = state["tensors"], state["means"], state["squares"]
        self.steps = state["steps"]
        self.generator.set_state(state["generator"])
        spent: float = state["spent"]
        return spent
