"""Options that teachers share, by how they are fitted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import nfcore


class PhotoOptions(nfcore.Options):
    """Options of all fields that are fitted to photos ray by ray."""

    per_photo_exposure: bool | None = Field(
        None,
        description="Whether exposure and white balance are estimated for each photo, and the scene gets their "
        "mean. None: if they differ between photos",
    )


class MarchedOptions(PhotoOptions):
    """Options of fields that are fitted by marching rays through an occupancy grid."""

    prune_threshold: float = Field(
        0.01, gt=0, lt=1, description="Opacity of one march step below which a cell counts as empty"
    )


class VoxelOptions(MarchedOptions):
    """Options of sparse voxel fields: how fine they are, and how they are fitted."""

    resolution: int | None = Field(
        None,
        ge=8,
        le=512,
        description="Voxels along the domain's longest side when fitted. None: what photos of that size show "
        "and the budget can fit, such as 152 for 200 pixels in half a minute and 288 for 800 in five; in an "
        "unbounded scene, 200 for 320 pixels in two minutes and 248 in four",
    )
    march_step: float | None = Field(
        None,
        gt=0,
        le=4,
        description="Distance between a ray's samples, in voxels, along z in NDC. None: 0.7 in a box, 1 elsewhere",
    )
    values: Literal[7, 15] = Field(15, description="Values at each voxel corner, in addition to its density")
    hidden: Literal[16, 32, 48, 64] = Field(16, description="Width of the network's two hidden layers")
    learning_rate: float = Field(
        0.05, gt=0, description="Adam's first step size for density; values take half of it"
    )
    network_learning_rate: float = Field(3e-3, gt=0, description="Adam's first step size for the network")
    samples_per_step: int | None = Field(
        None,
        ge=100,
        le=2**24,
        description="Samples per training step; the number of rays adapts. None: 240,000 where the world is "
        "contracted, as rays are long there, and on CUDA; 60,000 elsewhere",
    )
    inner_margin: float = Field(
        0.5,
        ge=0,
        le=100,
        description="Of an unbounded scene, how far beyond its box the world is resolved evenly, in distances of "
        "the nearest cameras from its centre; all beyond is contracted. From 1 on, cameras are within",
    )
    density_smoothness: float = Field(
        0.1,
        ge=0,
        description="Weight in the loss of squared differences between neighbours' raw densities; "
        "scenes in a box go without",
    )
    value_smoothness: float = Field(0.01, ge=0, description="The same for their values")


class SampledOptions(PhotoOptions):
    """Options of networks that are asked for the same number of samples on every ray."""

    depth: int = Field(8, ge=1, le=32, description="Hidden layers of each network")
    width: int = Field(256, ge=4, le=2048, description="Features in each hidden layer")
    rays_per_step: int = Field(4096, ge=1, le=2**20, description="Training rays per step; 256 suits a CPU")
    learning_rate: float = Field(5e-4, gt=0, description="Adam's first step size; small networks take 2e-3")
    final_learning_rate: float = Field(0.1, gt=0, le=1, description="Last step size as a share of the first")
