"""Writers of layouts that nfcore only reads, for tests: NSVF, IDR, Polycam and Record3D."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from nfcore_scenes.blender_writer import picture
from nfcore_scenes.photo_shoot import Shoot

_FLIP = np.array([1.0, -1.0, -1.0, 1.0])


def _photos(shoot: Shoot, folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for index, name in enumerate(names):
        alpha = None if shoot.alpha is None else shoot.alpha[index]
        picture(shoot.images[index], alpha, shoot.background).save(folder / name)


def _poses(shoot: Shoot) -> np.ndarray:
    last = np.tile([[[0.0, 0, 0, 1]]], (len(shoot), 1, 1))
    return np.concatenate([shoot.poses.double().numpy(), last], 1)


def _matrix(shoot: Shoot) -> np.ndarray:
    focal, cx, cy = shoot.lens.params
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])


def write_nsvf(shoot: Shoot, folder: Path, *, listed: bool = False) -> None:
    """Write rgb, pose, intrinsics.txt and bbox.txt; every fifth photo is a test photo."""
    names = [f"{2 if index % 5 == 0 else 0}_{index:04d}.png" for index in range(len(shoot))]
    _photos(shoot, folder / "rgb", names)
    (folder / "pose").mkdir()
    for name, pose in zip(names, _poses(shoot), strict=True):
        np.savetxt(folder / "pose" / name.replace(".png", ".txt"), pose * _FLIP)
    matrix = np.eye(4)
    matrix[:3, :3] = _matrix(shoot)
    np.savetxt(folder / "intrinsics.txt", matrix)
    if listed:
        focal, cx, cy = shoot.lens.params
        text = f"{focal} {cx} {cy} 0.\n0. 0. 0.\n0.\n1.\n{shoot.lens.height} {shoot.lens.width}\n"
        (folder / "intrinsics.txt").write_text(text)
    (folder / "bbox.txt").write_text("-1.3 -1.3 -0.8 1.3 1.3 0.8 0.1\n")


def write_idr(shoot: Shoot, folder: Path) -> None:
    """Write cameras.npz, image and mask; the object is scaled into the unit sphere."""
    names = [f"{index:03d}.png" for index in range(len(shoot))]
    _photos(shoot, folder / "image", names)
    scale = np.diag([1.5, 1.5, 1.5, 1.0])
    matrices = {}
    for index, pose in enumerate(_poses(shoot)):
        projection = np.eye(4)
        projection[:3] = _matrix(shoot) @ np.linalg.inv(pose * _FLIP)[:3]
        matrices |= {f"world_mat_{index}": projection, f"scale_mat_{index}": scale}
    np.savez(folder / "cameras.npz", **matrices)


def write_polycam(shoot: Shoot, folder: Path) -> None:
    """Write keyframes/images and keyframes/cameras, in ARKit's world with y up."""
    names = [f"{1000 + index}.png" for index in range(len(shoot))]
    _photos(shoot, folder / "keyframes" / "images", names)
    (folder / "keyframes" / "cameras").mkdir()
    focal, cx, cy = shoot.lens.params
    for name, pose in zip(names, _poses(shoot), strict=True):
        y_up = pose[[1, 2, 0]]  # nerfstudio's rows 2, 0, 1 undo it
        values = {f"t_{row}{column}": y_up[row, column] for row in range(3) for column in range(4)}
        values |= {"fx": focal, "fy": focal, "cx": cx, "cy": cy}
        values |= {"width": shoot.lens.width, "height": shoot.lens.height, "blur_score": 99.0}
        file = folder / "keyframes" / "cameras" / name.replace(".png", ".json")
        file.write_text(json.dumps(values))


def write_record3d(shoot: Shoot, folder: Path) -> None:
    """Write metadata.json and rgb."""
    _photos(shoot, folder / "rgb", [f"{index}.png" for index in range(len(shoot))])
    poses = [[*_quaternion(pose[:3, :3]), *pose[:3, 3]] for pose in _poses(shoot)]
    values = {
        "poses": poses,
        "K": _matrix(shoot).T.ravel().tolist(),
        "w": shoot.lens.width,
        "h": shoot.lens.height,
    }
    (folder / "metadata.json").write_text(json.dumps(values))


def _quaternion(rotation: np.ndarray) -> list[float]:
    """Return x, y, z, w of a rotation: the eigenvector of the greatest eigenvalue (Bar-Itzhack 2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    matrix = np.array(
        [
            [a - e - i, d + b, g + c, h - f],
            [d + b, e - a - i, h + f, c - g],
            [g + c, h + f, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    return np.linalg.eigh(matrix)[1][:, -1].tolist()
