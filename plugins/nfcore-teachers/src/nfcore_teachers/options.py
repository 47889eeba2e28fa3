"""Options that teachers share, by how they are fitted."""

from __future__ import annotations

from pydantic import Field

import nfcore


class MarchedOptions(nfcore.Options):
    """Options of fields that are fitted by marching rays through an occupancy grid."""

    prune_threshold: float = Field(
        0.01, gt=0, lt=1, description="Opacity of one march step below which a cell counts as empty"
    )


class VoxelOptions(MarchedOptions):
    """Options of fields whose values are stored at voxel corners, with a network for colour."""

    network_learning_rate: float = Field(3e-3, gt=0, description="Adam's first step size for the network")
    density_smoothness: float = Field(
        0.1,
        ge=0,
        description="Weight in the loss of squared differences between neighbours' raw densities; "
        "scenes in a box go without",
    )


class SampledOptions(nfcore.Options):
    """Options of networks that are asked for the same number of samples on every ray."""

    depth: int = Field(8, ge=1, le=32, description="Hidden layers of each network")
    width: int = Field(256, ge=4, le=2048, description="Features in each hidden layer")
    rays_per_step: int = Field(4096, ge=1, le=2**20, description="Training rays per step; 256 suits a CPU")
    learning_rate: float = Field(5e-4, gt=0, description="Adam's first step size; small networks take 2e-3")
