"""Ray sources: posed photos in the field's formats, and a procedural scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import nfcore

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the ray sources."""
    # In the order of preference for folders that hold several layouts.
    yield nfcore.Component(
        "ray_source",
        "colmap",
        "nfcore_scenes.colmap:Colmap",
        summary="A COLMAP model, sparse/0, next to images; any lens, undistorted on reading",
        markers=tuple(
            f"{folder}cameras.{end}" for folder in ("sparse/0/", "sparse/", "") for end in ("bin", "txt")
        ),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "transforms",
        "nfcore_scenes.transforms:TransformsJson",
        summary="transforms.json of nerfstudio or Instant-NGP; any lens, undistorted on reading",
        markers=("transforms.json",),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "blender",
        "nfcore_scenes.blender:Blender",
        summary="NeRF-synthetic layout: transforms_{train,val,test}.json and images",
        markers=("transforms_train.json",),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "llff",
        "nfcore_scenes.llff:Llff",
        summary="LLFF layout: poses_bounds.npy next to images, images_4, ...",
        markers=("poses_bounds.npy",),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "nsvf",
        "nfcore_scenes.nsvf:Nsvf",
        summary="NSVF layout: rgb, pose, intrinsics.txt, bbox.txt",
        markers=("intrinsics.txt",),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "idr",
        "nfcore_scenes.idr:Idr",
        summary="DTU and BlendedMVS as IDR and NeuS have them: cameras.npz, image, mask",
        markers=("cameras.npz", "cameras_sphere.npz"),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "polycam",
        "nfcore_scenes.polycam:Polycam",
        summary="A raw export of Polycam: keyframes",
        markers=("keyframes/cameras", "keyframes/corrected_cameras"),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "record3d",
        "nfcore_scenes.record3d:Record3d",
        summary="A raw export of Record3D: metadata.json and rgb, or metadata and rgbd",
        markers=("metadata.json", "rgbd"),
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "procedural",
        "nfcore_scenes.procedural:Procedural",
        summary="A procedural scene with known geometry; needs no download",
        level=2,
    )
    yield nfcore.Component(
        "ray_source",
        "teacher-views",
        "nfcore_scenes.teacher_views:TeacherViews",
        summary="Views of a run's fitted teacher, to fit another teacher to, such as one that can be baked",
        markers=("teacher.safetensors",),
        level=2,
    )


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add ``nfcore make-scene``."""
    from nfcore.cli import examples
    from nfcore_scenes.cli import make_scene

    shown = examples("nfcore make-scene still-life", "nfcore make-scene capture --format colmap --photos 60")
    app.command("make-scene", epilog=shown)(make_scene)
