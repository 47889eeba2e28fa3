"""MobileR2L: Real-Time Neural Light Field on Mobile Devices (Cao et al., CVPR 2023)."""

from collections.abc import Iterator
from pathlib import Path

import nfcore

_HERE = Path(__file__).parent

_SUMMARIES = {
    "mobiler2l": "The paper: 100x100 rays to 800x800 pixels, 4.3 M parameters; made for a GPU",
    "mobiler2l-forward-facing": "The paper on LLFF captures: 84x63 rays to 1008x756 pixels",
    "mobiler2l-mlp": "Network design: linear layers, without activation",
    "mobiler2l-conv": "Network design: 1x1 convolutions, without activation",
    "mobiler2l-relu": "Network design: 1x1 convolutions and ReLU",
    "mobiler2l-gelu": "Network design: 1x1 convolutions and GELU, without batch norm",
    "mobiler2l-nerf": "Teacher: NeRF",
    "mobiler2l-rays-50": "Input size: 50x50 rays to 800x800 pixels, NeRF teacher",
    "mobiler2l-rays-200": "Input size: 200x200 rays to 800x800 pixels, NeRF teacher",
    "mobiler2l-no-sr": "Input size: a ray for each of 800x800 pixels, NeRF teacher",
    "mobiler2l-mip-nerf": "Teacher: Mip-NeRF",
    "mobiler2l-k16-l10": "Encoding: 16 points with 10 octaves, Mip-NeRF teacher",
    "mobiler2l-d100": "Depth: 100 layers, 16 points with 10 octaves, Mip-NeRF teacher",
    "mobiler2l-small": "The pure network, small enough to be trained in minutes on two CPU cores",
}


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the parts of the student, and its loss."""
    yield nfcore.Component(
        "encoding",
        "points",
        "nfcore_mobiler2l.points:Points",
        summary="K points along each ray, positional encoding with L octaves",
        level=2,
    )
    yield nfcore.Component(
        "backbone",
        "residual-conv",
        "nfcore_mobiler2l.backbone:ResidualConv",
        summary="Residual blocks of 1x1 convolutions (or linear layers), with one skip over all of them",
    )
    yield nfcore.Component(
        "upsampler",
        "transposed-conv",
        "nfcore_mobiler2l.upsamplers:TransposedConv",
        summary="A transposed convolution and two residual blocks per stage: the paper's super-resolution",
    )
    yield nfcore.Component(
        "upsampler",
        "pixel-shuffle",
        "nfcore_mobiler2l.upsamplers:PixelShuffle",
        summary="One convolution and one pixel shuffle: quicker on a CPU",
    )
    yield nfcore.Component(
        "loss",
        "mse",
        "nfcore_mobiler2l.losses:MeanSquaredError",
        summary="Mean squared error",
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipelines; each file names its table and row of the paper."""
    for name, summary in _SUMMARIES.items():
        yield nfcore.Recipe(name, _HERE / "recipes" / f"{name}.toml", summary=summary)


@nfcore.hookimpl
def nfcore_publications() -> Iterator[nfcore.Publication]:
    """Offer the paper's protocol and tables."""
    yield nfcore.Publication(
        "mobiler2l",
        _HERE / "publications" / "mobiler2l.toml",
        summary="The paper's tables: quality, storage, latency, network design, input size",
    )
