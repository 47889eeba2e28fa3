"""MobileR2L: Real-Time Neural Light Field on Mobile Devices (Cao et al., CVPR 2023)."""

from pathlib import Path

import nfcore

_RECIPES = Path(__file__).parent / "recipes"


@nfcore.hookimpl
def nfcore_components():
    """Offer the parts of the student."""
    yield nfcore.Component(
        "encoding",
        "points",
        "nfcore_mobiler2l.points:Points",
        summary="K points along each ray, positional encoding with L octaves",
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


@nfcore.hookimpl
def nfcore_recipes():
    """Offer the pipelines."""
    yield nfcore.Recipe(
        "mobiler2l",
        _RECIPES / "mobiler2l.toml",
        summary="The paper: 100x100 rays to 800x800 pixels, 4.3 M parameters; made for a GPU",
    )
    yield nfcore.Recipe(
        "quickstart",
        _RECIPES / "quickstart.toml",
        summary="Photos to verified exports in minutes on two CPU cores",
    )
