"""Writes a reconstruction at the photos' full size: COLMAP's model, ``transforms.json``, and points as PLY."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from nfcore.io import atomic_path, write_json
from nfcore_pose.job import Job

#: From COLMAP's axes (y down, z forwards) to OpenGL's.
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
#: Names of the parameters after focal lengths and principal point, as nerfstudio has them.
_DISTORTION = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": ("k1",),
    "RADIAL": ("k1", "k2"),
    "OPENCV": ("k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"),
}


def write_model(model: pycolmap.Reconstruction, job: Job, folder: Path) -> None:
    """Write ``model``, which is in pixels of the copies, into the new ``folder``; atomically.

    ``model`` is brought to the full photos' size and names.
    """
    _to_full_size(model, job)
    with atomic_path(folder) as new:
        sparse = new / "sparse" / "0"
        sparse.mkdir(parents=True)
        model.write_binary(sparse)
        model.export_PLY(new / "sparse_pc.ply")
        write_json(new / "transforms.json", transforms(model, job))


def _to_full_size(model: pycolmap.Reconstruction, job: Job) -> None:
    for number, camera in model.cameras.items():
        full = job.cameras[number - 1]
        camera.rescale(full.width, full.height)
    for number, image in model.images.items():
        photo = job.photos[number - 1]
        full = job.cameras[photo.camera]
        scale = np.array([full.width / photo.width, full.height / photo.height])
        for point in image.points2D:
            point.xy = point.xy * scale
        image.name = photo.name


def transforms(model: pycolmap.Reconstruction, job: Job) -> dict[str, Any]:
    """Return ``transforms.json`` of nerfstudio and Instant-NGP: OpenGL axes, camera to world."""
    frames, lenses = [], {number: _lens(camera) for number, camera in model.cameras.items()}
    shared = next(iter(lenses.values())) if len(lenses) == 1 else {}
    registered = [model.images[number] for number in model.reg_image_ids()]
    for image in sorted(registered, key=lambda image: image.name):
        pose = np.vstack([image.cam_from_world().inverse().matrix(), [0, 0, 0, 1]]) @ _FLIP
        frame = {"file_path": f"images/{image.name}", "transform_matrix": pose.tolist()}
        if image.image_id - 1 in job.masked:
            frame["mask_path"] = f"masks/{image.name}.png"
        frames.append(frame | ({} if shared else lenses[image.camera_id]))
    models = {lens["camera_model"] for lens in lenses.values()}
    return {"camera_model": models.pop()} | shared | {"ply_file_path": "sparse_pc.ply", "frames": frames}


def _lens(camera: pycolmap.Camera) -> dict[str, Any]:
    extra = [float(camera.params[index]) for index in camera.extra_params_idxs()]
    name = camera.model.name
    fisheye = name == "OPENCV_FISHEYE"
    return {
        # nerfstudio knows two: fisheye, and the one of which all others are special cases
        "camera_model": name if fisheye else "OPENCV",
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.focal_length_x,
        "fl_y": camera.focal_length_y,
        "cx": camera.principal_point_x,
        "cy": camera.principal_point_y,
    } | dict(zip(_DISTORTION[name], extra, strict=True))
