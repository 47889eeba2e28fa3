"""The module that all exporters convert, with norms folded, and its parts for targets that need only some.

- the full model: pose and intrinsics of a camera in; for apps that show the scene with nothing else to compute;
- ``image``: features of rays in; for engines that run plain convolutions only, with ``rays`` run before it;
- ``of_rays``: origins and directions in, at any resolution; for renderers that compute their own rays.

All return RGB. Arithmetic on rays is always float32, whatever the network's precision.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from nfcore.interfaces import Target
from nfcore.scene.cameras import ray_grid
from nfcore.student.light_field import LightField


class DeployedRays(nn.Module):
    """The first half of a deployed student: from a camera to the features of its rays.

    Args:
        encoding: the encoding, deployed for the target.
        shape: height and width of the image, and pixels per ray along each side.
        dtype: the network's input dtype.

    """

    def __init__(self, encoding: nn.Module, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
        super().__init__()
        self.encoding = encoding
        self.shape = shape
        self.dtype = dtype

    def forward(self, pose: Tensor, intrinsics: Tensor) -> Tensor:
        """Return features (b, c, h, w) in the network's precision; arguments as for ``DeployedLightField``."""
        features: Tensor = self.encoding(*ray_grid(pose, intrinsics, *self.shape))
        return features.to(self.dtype)


class DeployedNetwork(nn.Module):
    """The second half of a deployed student: from the features of rays to the image.

    Args:
        network: backbone and upsampler.

    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        """Return RGB (b, 3, H, W) float32 in [0, 1] for (b, c, h, w) in the network's precision."""
        image: Tensor = self.network(features)
        return image.float()


class DeployedOfRays(nn.Module):
    """A deployed student that takes rays instead of a camera, in any number of rows and columns.

    The caller makes the rays: one through the centre of each block of ``scale`` x ``scale`` pixels, as
    ``ray_grid`` does, with directions that are not normalised: z is -1 in camera space.

    Args:
        encoding: the encoding, deployed for the target.
        image: features to RGB.
        dtype: the network's input dtype.

    """

    def __init__(self, encoding: nn.Module, image: DeployedNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.encoding = encoding
        self.image = image
        self.dtype = dtype

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return RGB (b, 3, h * scale, w * scale) float32 in [0, 1] for rays (b, 3, h, w) float32, scene units."""
        features: Tensor = self.encoding(origins, directions)
        image: Tensor = self.image(features.to(self.dtype))
        return image


class DeployedLightField(nn.Module):
    """A student prepared for a target: eval mode, norms folded into convolutions, fixed image size.

    Ray arithmetic stays float32; ``half_network`` converts the rest to float16. The student is not changed.

    Args:
        student: the student to deploy.
        half_network: run backbone and upsampler in float16.
        target: what the target supports; the encoding returns a form of itself that suits it.

    Attributes:
        rays: camera to features, for targets that need the two halves separately.
        image: features to RGB; plain convolutions if the student's network consists of them.
        of_rays: origins and directions of rays to RGB, any number of rows and columns; shares the weights.

    """

    def __init__(self, student: LightField, *, half_network: bool = False, target: Target | None = None) -> None:
        super().__init__()
        dtype = torch.float16 if half_network else torch.float32
        encoding = copy.deepcopy(student.encoding).cpu().float().eval().deployed(target or Target())
        network = fold_norms(nn.Sequential(*copy.deepcopy([student.backbone, student.upsampler]))).cpu().to(dtype)
        shape = (student.cameras.height, student.cameras.width, student.scale)
        self.rays = DeployedRays(encoding, shape, dtype)
        self.image = DeployedNetwork(network)
        self.eval().requires_grad_(False)

    @property
    def of_rays(self) -> DeployedOfRays:
        """The form that takes rays. Not a submodule: a converter would find each weight twice."""
        return DeployedOfRays(self.rays.encoding, self.image, self.rays.dtype).eval()

    def forward(self, pose: Tensor, intrinsics: Tensor) -> Tensor:
        """Return RGB (b, 3, H, W) float32 in [0, 1].

        Args:
            pose: (b, 3, 4) float32, camera to world, OpenGL axes, scene units.
            intrinsics: (b, 4) float32, fx, fy, cx, cy in pixels of the H x W image.

        """
        image: Tensor = self.image(self.rays(pose, intrinsics))
        return image


def camera_render(
    render_rays: Callable[[Tensor, Tensor], Tensor], height: int, width: int, scale: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the render function of a ``Runner`` for files that take rays: torch computes the camera's rays.

    Args:
        render_rays: origins and directions (b, 3, height/scale, width/scale) float32 to RGB (b, 3, height, width).
        height: of the image, pixels.
        width: of the image, pixels.
        scale: pixels per ray along each side.

    """

    def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
        rays = ray_grid(poses.detach().cpu().float(), intrinsics.detach().cpu().float(), height, width, scale)
        return render_rays(*(ray.contiguous() for ray in rays))

    return render


def fold_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution that it directly follows in an ``nn.Sequential``, in place.

    The module is put in eval mode, where both forms compute the same function.
    """
    module.eval()
    for parent in list(module.modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        for place, (layer, norm) in enumerate(pairwise(list(parent))):
            if (folded := _folded(layer, norm)) is not None:
                parent[place], parent[place + 1] = folded, nn.Identity()
    return module


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    if isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.Conv2d):
        return fuse_conv_bn_eval(layer, norm)
    if isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.ConvTranspose2d):
        return fuse_conv_bn_eval(layer, norm, transpose=True)
    if isinstance(norm, nn.BatchNorm1d) and isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    return None
