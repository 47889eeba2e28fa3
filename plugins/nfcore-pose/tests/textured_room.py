"""Photos of a room whose walls have random textures, from known places: small, and rich in features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, FOCAL = 240, 180, 220.0
#: Photos of the room that most tests use.
COUNT = 7
_TEXTURE = 192
_SAMPLES = 2


def walk(count: int, turn_only: bool = False) -> np.ndarray:
    """Camera-to-world (n, 3, 4), OpenGL axes: along the room, looking at its far end; or turning on the spot."""
    poses = []
    for share in np.linspace(-1, 1, count):
        eye = (
            np.array([0.0, 0.0, 0.2]) if turn_only else np.array([0.8 * share, -0.2 + 0.3 * share**2, 0.4 * share])
        )
        target = np.array([1.5 * share, 2.0, 0.0]) if turn_only else np.array([0.3 * share, 2.0, 0.0])
        backward = (eye - target) / np.linalg.norm(eye - target)
        right = np.cross([0, 0, 1.0], backward)
        right /= np.linalg.norm(right)
        poses.append(np.stack([right, np.cross(backward, right), backward, eye], 1))
    return np.stack(poses)


def photo(pose: np.ndarray, seed: int = 0) -> np.ndarray:
    """The room, (height, width, 3) uint8; ``seed`` chooses its wallpaper."""
    rows, columns = (np.mgrid[: HEIGHT * _SAMPLES, : WIDTH * _SAMPLES] + 0.5) / _SAMPLES
    local = np.stack([(columns - WIDTH / 2) / FOCAL, -(rows - HEIGHT / 2) / FOCAL, -np.ones_like(rows)], -1)
    directions, eye = local @ pose[:, :3].T, pose[:, 3]
    walls = np.array([1.6, 2.4, 1.1])  # half of the room's sides
    with np.errstate(divide="ignore"):
        depths = (np.sign(directions) * walls - eye) / directions
    axis = depths.argmin(-1)
    hits = eye + directions * np.take_along_axis(depths, axis[..., None], -1)
    colours = np.zeros_like(hits)
    for wall in range(3):
        for side in (-1, 1):
            here = (axis == wall) & (np.sign(directions[..., wall]) == side)
            others = [other for other in range(3) if other != wall]
            places = (hits[here][:, others] / walls[others] + 1) / 2 * (_TEXTURE - 2)
            colours[here] = _bilinear(_wallpaper(1000 * seed + 2 * wall + (side > 0)), places)
    fine = colours.reshape(HEIGHT, _SAMPLES, WIDTH, _SAMPLES, 3).mean((1, 3))
    return fine.round().astype(np.uint8)


def _wallpaper(seed: int) -> np.ndarray:
    """Blots of several sizes, (192, 192, 3) in 0..255."""
    generator = np.random.default_rng(seed)
    paper = np.zeros((_TEXTURE, _TEXTURE, 3))
    for side, share in ((12, 0.3), (32, 0.3), (96, 0.4)):
        noise = Image.fromarray(generator.integers(0, 256, (side, side, 3), np.uint8))
        paper += share * np.asarray(noise.resize((_TEXTURE, _TEXTURE), Image.Resampling.BICUBIC), float)
    return paper


def _bilinear(texture: np.ndarray, places: np.ndarray) -> np.ndarray:
    low = np.floor(places).astype(int).clip(0, _TEXTURE - 2)
    share = (places - low).clip(0, 1)
    total = np.zeros((len(places), 3))
    for row in (0, 1):
        for column in (0, 1):
            weight = np.abs(1 - row - share[:, 0]) * np.abs(1 - column - share[:, 1])
            total += weight[:, None] * texture[low[:, 0] + row, low[:, 1] + column]
    return total


def save_photos(folder: Path, poses: np.ndarray, seed: int = 0, names: list[str] | None = None) -> Path:
    """Write the photos from ``poses`` as PNG."""
    for index, pose in enumerate(poses):
        file = folder / (f"{index:02}.png" if names is None else names[index])
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(pose, seed)).save(file)
    return folder


def save_room(folder: Path) -> Path:
    """Write the photos that most tests use, with names that need care: posed once for all tests."""
    names = [f"Küche {'a' if index < 4 else 'b'}/{index} ok.png" for index in range(COUNT)]
    return save_photos(folder, walk(COUNT), names=names)


def disagreement(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Largest error of positions, as a share of their spread, and of directions, in degrees, after alignment.

    Both are (n, 3, 4); the alignment is the best similarity (Umeyama 1991).
    """
    centred, target = (poses[:, :, 3] - poses[:, :, 3].mean(0) for poses in (found, truth))
    u, s, v = np.linalg.svd(target.T @ centred)
    mirror = np.diag([1, 1, np.sign(np.linalg.det(u @ v))])
    turn = u @ mirror @ v
    scale = (s * mirror.diagonal()).sum() / (centred**2).sum()
    spread = np.linalg.norm(target, axis=1).max()
    off = np.linalg.norm(scale * centred @ turn.T - target, axis=1).max() / spread
    cosine = ((turn @ found[:, :, 2].T).T * truth[:, :, 2]).sum(1).clip(-1, 1)
    return float(off), float(np.degrees(np.arccos(cosine)).max())
