"""A photo shoot of the procedural scene on disk: in LLFF's, COLMAP's and nerfstudio's layout."""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nfcore import UserError
from nfcore.io import atomic_path, write_atomic, write_json
from nfcore_scenes.blender_writer import new_folder, picture
from nfcore_scenes.colmap_files import read_model
from nfcore_scenes.colmap_library import pycolmap_for
from nfcore_scenes.photo_shoot import Shoot

if TYPE_CHECKING:
    import pycolmap

#: From OpenGL's axes to COLMAP's: y down, z forwards.
_FLIP = np.array([1.0, -1.0, -1.0])


def write_llff(shoot: Shoot, folder: Path) -> None:
    """Write ``poses_bounds.npy`` and ``images`` into the new ``folder``; atomically, as all writers do.

    Raises:
        UserError: ``folder`` exists already, or the lens is not a pinhole with its axis in the photo's middle.

    """
    lens = shoot.lens
    if lens.model != "SIMPLE_PINHOLE" or lens.params[1:] != (lens.width / 2, lens.height / 2):
        raise UserError(
            f"LLFF's layout needs a SIMPLE_PINHOLE in the photo's middle, not {lens.model} {lens.params}"
        )
    right, up, backward, position = shoot.poses.double().unbind(2)
    size = np.tile([lens.height, lens.width, lens.params[0]], (len(shoot), 1))
    matrices = np.stack([-up, right, backward, position, size], 2)
    rows = np.concatenate([matrices.reshape(len(shoot), 15), shoot.bounds.double()], 1)
    data = BytesIO()
    np.save(data, rows)  # to a file, numpy would not notice that the disk is full
    _write(shoot, folder, lambda new: write_atomic(new / "poses_bounds.npy", data.getvalue()))


def write_colmap(shoot: Shoot, folder: Path, *, text: bool = False) -> None:
    """Write ``sparse/0``, binary or text, and ``images`` into the new ``folder``.

    Raises:
        UserError: ``folder`` exists already.

    """

    def write_model(new: Path) -> None:
        model = new / "sparse" / "0"
        model.mkdir(parents=True)
        reconstruction = _reconstruction(shoot)
        (reconstruction.write_text if text else reconstruction.write_binary)(model)
        try:
            read_model(model)  # COLMAP does not notice a full disk
        except UserError as error:
            raise OSError(errno.ENOSPC, f"cut short, as on a full disk: {error}", str(model)) from None

    _write(shoot, folder, write_model)


def write_transforms(shoot: Shoot, folder: Path) -> None:
    """Write ``transforms.json``, ``sparse_pc.ply`` and ``images`` into the new ``folder``, as nerfstudio does.

    Raises:
        UserError: ``folder`` exists already, or nerfstudio does not support the lens's model.

    """
    size = {"w": shoot.lens.width, "h": shoot.lens.height}

    def write_poses(new: Path) -> None:
        write_json(new / "transforms.json", _optics(shoot) | size | _frames(shoot))
        _write_points(new / "sparse_pc.ply", shoot)

    _write(shoot, folder, write_poses)


def _write(shoot: Shoot, folder: Path, write_poses: Callable[[Path], None]) -> None:
    new_folder(folder)
    with atomic_path(folder.resolve()) as new:
        (new / "images").mkdir(parents=True)
        for index, name in enumerate(shoot.names):
            alpha = None if shoot.alpha is None else shoot.alpha[index]
            picture(shoot.images[index], alpha, shoot.background).save(new / "images" / name)
        write_poses(new)


def _reconstruction(shoot: Shoot) -> pycolmap.Reconstruction:
    """Return the shoot as an exact COLMAP reconstruction."""
    library = pycolmap_for("a new COLMAP model")
    reconstruction: pycolmap.Reconstruction = library.Reconstruction()
    camera = shoot.lens.camera
    camera.camera_id = 1
    reconstruction.add_camera_with_trivial_rig(camera)
    sightings: dict[int, list[tuple[int, int]]] = defaultdict(list)
    rows = shoot.seen.tolist()
    for index, (name, pose) in enumerate(zip(shoot.names, shoot.poses.double().numpy(), strict=True)):
        own = [row for row in rows if int(row[1]) == index]
        for place, row in enumerate(own):
            sightings[int(row[0])].append((index + 1, place))
        points = [library.Point2D(np.array(row[2:])) for row in own]
        image = library.Image(name=name, points2D=points, camera_id=1, image_id=index + 1)
        to_world = library.Rigid3d(library.Rotation3d(pose[:, :3] * _FLIP), pose[:, 3])
        reconstruction.add_image_with_trivial_frame(image, to_world.inverse())
    for index, (point, colour) in enumerate(
        zip(shoot.points.double().numpy(), shoot.colours.numpy(), strict=True)
    ):
        track = library.Track([library.TrackElement(*sighting) for sighting in sightings[index]])
        reconstruction.add_point3D(point, track, (colour * 255).round().astype(np.uint8))
    return reconstruction


def _optics(shoot: Shoot) -> dict[str, object]:
    lens = shoot.lens
    focus = dict(zip(("fl_x", "fl_y", "cx", "cy"), lens.focus, strict=True))
    names = {
        "SIMPLE_PINHOLE": (),
        "PINHOLE": (),
        "SIMPLE_RADIAL": ("k1",),
        "RADIAL": ("k1", "k2"),
        "OPENCV": ("k1", "k2", "p1", "p2"),
        "OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"),
    }
    if lens.model not in names:
        raise UserError(f"nerfstudio's layout has no {lens.model} lens; there is {', '.join(names)}")
    return {"camera_model": lens.model, **focus, **dict(zip(names[lens.model], lens.distortion, strict=True))}


def _frames(shoot: Shoot) -> dict[str, object]:
    return {
        "ply_file_path": "sparse_pc.ply",
        "frames": [
            {"file_path": f"images/{name}", "transform_matrix": [*pose.tolist(), [0.0, 0.0, 0.0, 1.0]]}
            for name, pose in zip(shoot.names, shoot.poses, strict=True)
        ],
    }


def _write_points(file: Path, shoot: Shoot) -> None:
    """Write the points as the text PLY that nerfstudio writes."""
    header = ["ply", "format ascii 1.0", f"element vertex {len(shoot.points)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uint8 {colour}" for colour in ("red", "green", "blue")]
    rows = [
        " ".join([*(f"{x:.6f}" for x in point), *(f"{255 * c:.0f}" for c in colour)])
        for point, colour in zip(shoot.points.tolist(), shoot.colours.tolist(), strict=True)
    ]
    file.write_text("\n".join([*header, "end_header", *rows]) + "\n", encoding="ascii")
