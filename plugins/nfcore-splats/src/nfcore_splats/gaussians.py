"""3D Gaussians: what a splat file holds, as plain tensors (Kerbl et al. 2023, "3D Gaussian Splatting")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry import spherical_harmonics

#: The names of the tensors of Gaussians.
TENSORS = ("means", "log_scales", "quaternions", "opacity_logits", "harmonics")
#: Number of spherical harmonics to degree 0, 1, 2, 3.
BASIS_SIZES = (1, 4, 9, 16)
#: The harmonic of degree 0, which is the same in all directions.
CONSTANT = 0.28209479177387814


@dataclass(frozen=True, repr=False)
class Gaussians:
    """n Gaussians. Opacity, scale and colour are stored before their activation, as the files have them.

    Args:
        means: (n, 3) float32, scene units.
        log_scales: (n, 3) float32, logarithms of the standard deviations along the axes, scene units.
        quaternions: (n, 4) float32 unit quaternions w, x, y, z: from the Gaussian's axes to the world.
        opacity_logits: (n,) float32; the sigmoid is the opacity at the mean.
        harmonics: (n, k, 3) float32, coefficients of RGB for k = 1, 4, 9 or 16 spherical harmonics of the
            direction from the camera to the mean; 0.5 is added to their sum, and what is negative is 0.
        antialiased: whether they were fitted with an opacity that makes up for the low-pass filter in the image
            (Yu et al. 2024, Mip-Splatting), and are to be drawn so.

    >>> ball = Gaussians.of_colours(torch.zeros(1, 3), torch.full((1, 3), 0.1), torch.tensor([[1.0, 0.5, 0.0]]))
    >>> ball, ball.colours(torch.tensor([0.0, 0.0, 4.0]))
    (Gaussians(1, degree 0), tensor([[1.0000, 0.5000, 0.0000]]))

    """

    means: Tensor
    log_scales: Tensor
    quaternions: Tensor
    opacity_logits: Tensor
    harmonics: Tensor
    antialiased: bool = False

    def __len__(self) -> int:
        return len(self.means)

    def __repr__(self) -> str:
        return f"Gaussians({len(self)}, degree {self.degree})"

    @classmethod
    def of_colours(cls, means: Tensor, scales: Tensor, colours: Tensor, opacity: float = 0.95) -> Gaussians:
        """Return Gaussians along the world's axes with one colour (n, 3) in [0, 1] for all directions."""
        n = len(means)
        return cls(
            means.float(),
            scales.float().log(),
            torch.tensor([1.0, 0, 0, 0]).expand(n, 4).clone(),
            torch.full((n,), math.log(opacity / (1 - opacity))),
            ((colours - 0.5) / CONSTANT)[:, None].float(),
        )

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor], antialiased: bool = False) -> Gaussians:
        """Return what has these ``tensors``, by name."""
        return cls(**tensors, antialiased=antialiased)

    @property
    def degree(self) -> int:
        """Degree of the harmonics, 0 to 3."""
        return BASIS_SIZES.index(self.harmonics.shape[1])

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name."""
        return {name: getattr(self, name) for name in TENSORS}

    def colours(self, eye: Tensor) -> Tensor:
        """Return RGB (n, 3), 0 or more, seen from ``eye`` (3,)."""
        directions = F.normalize(self.means - eye, dim=1)
        basis = spherical_harmonics(directions, degree=3)[:, : self.harmonics.shape[1]]
        return ((basis[..., None] * self.harmonics).sum(1) + 0.5).clamp_min(0)

    def chosen(self, index: Tensor) -> Gaussians:
        """Return some of them: ``index`` is (m,) int64 or (n,) bool."""
        return self.of_tensors({name: tensor[index] for name, tensor in self.tensors.items()}, self.antialiased)

    def with_degree(self, degree: int) -> Gaussians:
        """Return them with harmonics of exactly this degree: what is missing is 0."""
        size, known = BASIS_SIZES[degree], self.harmonics.shape[1]
        more = torch.zeros(len(self), max(0, size - known), 3)
        return replace(self, harmonics=torch.cat([self.harmonics[:, :size], more], 1).contiguous())

    def rotated(self, rotation: Tensor) -> Gaussians:
        """Return them in another world: ``rotation`` (3, 3) times their positions; colours turn with them."""
        exact = rotation.double()
        return replace(
            self,
            means=(self.means.double() @ exact.T).float(),
            quaternions=_product(_quaternion(exact), self.quaternions.double()).float(),
            harmonics=(_rotation_of_harmonics(exact, self.harmonics.shape[1]) @ self.harmonics.double()).float(),
        )


def rotation_matrices(quaternions: Tensor) -> Tensor:
    """Return (n, 3, 3) of quaternions (n, 4) of any length but 0."""
    w, x, y, z = F.normalize(quaternions, dim=1).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, 1).reshape(-1, 3, 3)


def quaternions_of_axis(normals: Tensor) -> Tensor:
    """Return quaternions (n, 4) of rotations whose third axis is ``normals`` (n, 3), unit vectors."""
    x, y, z = normals.unbind(1)
    # The half-way vector between the third axis and the normal; opposite ones turn around the first axis.
    quaternions = torch.stack([1 + z, -y, x, torch.zeros_like(z)], 1)
    opposite = z < -1 + 1e-6
    quaternions[opposite] = torch.tensor([0.0, 1, 0, 0])
    return F.normalize(quaternions, dim=1)


def _quaternion(rotation: Tensor) -> Tensor:
    """Return the quaternion (4,) of a rotation (3, 3): the eigenvector that all its signs agree on."""
    m = rotation
    trace = m.trace()
    antisymmetric = torch.stack([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    matrix = torch.zeros(4, 4, dtype=m.dtype)
    matrix[0, 0], matrix[0, 1:], matrix[1:, 0] = trace, antisymmetric, antisymmetric
    matrix[1:, 1:] = m + m.T - trace * torch.eye(3, dtype=m.dtype)
    vectors: Tensor = torch.linalg.eigh(matrix).eigenvectors
    return vectors[:, -1]


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the Hamilton product of one quaternion (4,) with each of (n, 4)."""
    a, b, c, d = left.unbind()
    w, x, y, z = right.unbind(1)
    return torch.stack(
        [a * w - b * x - c * y - d * z, a * x + b * w + c * z - d * y, a * y - b * z + c * w + d * x,
         a * z + b * y - c * x + d * w], 1,
    )  # fmt: skip


def _rotation_of_harmonics(rotation: Tensor, size: int) -> Tensor:
    """Return (size, size): coefficients of a function of directions to those of the rotated function.

    Harmonics of a degree are a space that rotations map to itself, so a least-squares fit on directions is exact.
    """
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(64, 3, generator=generator, dtype=torch.float64), dim=1)
    before = spherical_harmonics(directions @ rotation, degree=3)[:, :size]
    after = spherical_harmonics(directions, degree=3)[:, :size]
    matrix: Tensor = torch.linalg.lstsq(after, before).solution
    return matrix
