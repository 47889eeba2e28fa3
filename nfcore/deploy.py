"""The one module that all exporters convert: pose and intrinsics in, RGB out, norms folded."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from nfcore.cameras import ray_grid
from nfcore.interfaces import Target
from nfcore.light_field import LightField


class DeployedLightField(nn.Module):
    """A student made ready for a target: eval mode, norms folded into convolutions, fixed image size.

    Ray arithmetic stays float32; ``half_network`` halves the rest. The student itself is left as it was.

    Args:
        student: the student to deploy.
        half_network: run backbone and upsampler in float16.
        target: what the target can do; the encoding is asked for a form of itself that suits it.

    """

    def __init__(self, student: LightField, *, half_network: bool = False, target: Target | None = None) -> None:
        super().__init__()
        self.encoding = copy.deepcopy(student.encoding).cpu().float().eval().deployed(target or Target())
        self.network = fold_norms(nn.Sequential(*copy.deepcopy([student.backbone, student.upsampler]))).cpu()
        self.dtype = torch.float16 if half_network else torch.float32
        self.network.to(self.dtype)
        self.height, self.width, self.scale = student.cameras.height, student.cameras.width, student.scale
        self.eval().requires_grad_(False)

    def forward(self, pose: Tensor, intrinsics: Tensor) -> Tensor:
        """Return RGB (b, 3, H, W) float32 in [0, 1].

        Args:
            pose: (b, 3, 4) float32, camera to world, OpenGL axes, scene units.
            intrinsics: (b, 4) float32, fx, fy, cx, cy in pixels of the H x W image.

        """
        rays = ray_grid(pose, intrinsics, self.height, self.width, self.scale)
        image: Tensor = self.network(self.encoding(*rays).to(self.dtype))
        return image.float()


def fold_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm that directly follows its convolution in an ``nn.Sequential`` into it, in place.

    The module is put in eval mode, where both forms compute the same function.
    """
    module.eval()
    for parent in list(module.modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        for layer, norm in zip(list(parent), list(parent)[1:], strict=False):
            folded = _folded(layer, norm)
            if folded is not None:
                parent[_index(parent, layer)] = folded
                parent[_index(parent, norm)] = nn.Identity()
    return module


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    if isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.Conv2d):
        return fuse_conv_bn_eval(layer, norm)
    if isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.ConvTranspose2d):
        return fuse_conv_bn_eval(layer, norm, transpose=True)
    if isinstance(norm, nn.BatchNorm1d) and isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    return None


def _index(parent: nn.Sequential, child: nn.Module) -> int:
    return next(i for i, module in enumerate(parent) if module is child)
