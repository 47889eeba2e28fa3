"""A plot of a data set: cameras and box in space, and the box drawn into photos."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nfcore.dataset.summary import kind
from nfcore.geometry.uprightness import upright
from nfcore.interfaces import RaySource
from nfcore.io.figures import save_figure
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_TRAIN, _TEST, _NOVEL, _BOX, _DEPTHS = "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#7f7f7f"
_PHOTOS = 5
_DRAWN = 60  # cameras of each colour: more hide each other
_NOVEL_DRAWN = 24


def save_scene_picture(source: RaySource, path: Path) -> None:
    """Write a PNG (or another format, by the suffix of ``path``): two views of the cameras, photos with the box.

    Training cameras are blue, test cameras red, novel ones green; each is drawn as its viewing pyramid, with a
    tick at its upper side. The near and the far plane of the first training camera are drawn in grey.
    """
    from matplotlib.figure import Figure

    train, test = source.views("train"), source.views("test")
    novel = source.sample_cameras(_NOVEL_DRAWN, torch.Generator().manual_seed(0))
    scene = source.scene
    figure = Figure(figsize=(15, 11), layout="constrained", dpi=90)
    grid = figure.add_gridspec(2, 2 * _PHOTOS, height_ratios=[3, 1.4])
    size = f"{train.cameras.width}x{train.cameras.height} pixels"
    figure.suptitle(
        f"{source.name}: {kind(scene)}, {len(train)} train and {len(test)} test photos of {size}, "
        f"near {scene.near:.3g}, far {scene.far:.3g}\n"
        "cameras: blue train, red test, green novel; orange: box; grey: near and far plane of the first"
    )
    turn = _plot_axes(train.cameras)
    for column, (title, elevation, azimuth) in enumerate((("from the side", 18, -60), ("from above", 90, -90))):
        axes = figure.add_subplot(
            grid[0, column * _PHOTOS : (column + 1) * _PHOTOS], projection="3d", proj_type="ortho"
        )
        _draw_space(axes, scene, (train.cameras, test.cameras, novel), turn)
        axes.view_init(elevation, azimuth)
        if elevation == 90:
            axes.set(zticks=[], zlabel="")
        axes.set_title(title)
    chosen = torch.linspace(0, len(train) - 1, _PHOTOS).round().long().tolist()
    for column, index in enumerate(chosen):
        axes = figure.add_subplot(grid[1, 2 * column : 2 * column + 2])
        axes.imshow(train.images[index].clamp(0, 1).numpy())
        _draw_box(axes, scene, train.cameras[index])
        axes.set_title(train.names[index], fontsize=8)
        axes.set_axis_off()
    save_figure(figure, path)


def _plot_axes(cameras: Cameras) -> NDArray[np.float64]:
    """Return the rotation (3, 3) that takes the cameras' up to the plot's z axis."""
    up = upright(cameras.poses).double()
    # One of the scene's axes is up: the plot keeps the axes, so that one can see which.
    axis = int(up.abs().argmax())
    z = torch.zeros(3, dtype=torch.double)
    z[axis] = 1.0 if up[axis] > 0 else -1.0
    x = torch.zeros(3, dtype=torch.double)
    x[(0 if axis != 0 else 1)] = 1.0
    return torch.stack([x, torch.linalg.cross(z, x), z]).numpy()


def _draw_space(
    axes: Any, scene: Scene, cameras: tuple[Cameras, Cameras, Cameras], turn: NDArray[np.float64]
) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    train, _, _ = cameras
    eyes = torch.cat([c.poses[:, :, 3] for c in cameras])
    corners = torch.tensor(list(itertools.product(*zip(*scene.box, strict=True))))
    shown = eyes if scene.forward_facing else torch.cat([eyes, corners])
    spread = float((shown.amax(0) - shown.amin(0)).max())
    length = 0.4 * scene.near if scene.forward_facing else 0.1 * spread
    for group, colour in zip(cameras, (_TRAIN, _TEST, _NOVEL), strict=True):
        some = group[torch.linspace(0, len(group) - 1, min(len(group), _DRAWN)).round().long()]
        lines = [line @ turn.T for camera in some for line in _pyramid(camera, length)]
        axes.add_collection3d(Line3DCollection(lines, colors=colour, linewidths=0.7))
    box = [line @ turn.T for line in _box_edges(scene)]
    axes.add_collection3d(Line3DCollection(box, colors=_BOX, linewidths=1.5))
    planes = [_pyramid(train[0], depth)[-1] @ turn.T for depth in (scene.near, scene.far)]
    axes.add_collection3d(Line3DCollection(planes[:1], colors=_DEPTHS, linewidths=1.2))
    reach = np.concatenate([corners.numpy() @ turn.T, eyes.numpy() @ turn.T])
    if not scene.unbounded:
        axes.add_collection3d(Line3DCollection(planes[1:], colors=_DEPTHS, linewidths=1.2, linestyles="dashed"))
    low, high = reach.min(0), reach.max(0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(np.maximum(high - low, 1e-6), zoom=1.05)
    for name, row in zip("xyz", turn, strict=True):
        axis = int(np.abs(row).argmax())
        getattr(axes, f"set_{name}label")(f"{'-' if row[axis] < 0 else ''}{'xyz'[axis]}")


def _pyramid(camera: Cameras, depth: float) -> list[NDArray[np.float64]]:
    """Return the lines of a camera's viewing pyramid: four edges, a tick at the top, the face at ``depth``."""
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    h, w = camera.height, camera.width

    def at(u: float, v: float, scale: float = 1.0) -> Tensor:
        local = depth * torch.tensor([(u - cx) / fx, -scale * (v - cy) / fy, -1.0])
        return camera.poses[0, :, :3] @ local + camera.poses[0, :, 3]

    eye = camera.poses[0, :, 3]
    face = [at(0, 0), at(w, 0), at(w, h), at(0, h), at(0, 0)]
    lines = [[eye, corner] for corner in face[:4]]
    tick = [at(0.35 * w, 0), at(0.5 * w, -0.25 * h), at(0.65 * w, 0)]
    return [torch.stack(line).double().numpy() for line in (*lines, tick, face)]


def _box_edges(scene: Scene, parts: int = 1) -> list[NDArray[np.float64]]:
    """Return the box's 12 edges, each as ``parts`` + 1 points."""
    edges = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for first, second in itertools.product((0, 1), repeat=2):
            line = np.empty((parts + 1, 3))
            line[:, axis] = np.linspace(scene.box[0][axis], scene.box[1][axis], parts + 1)
            line[:, others[0]], line[:, others[1]] = scene.box[first][others[0]], scene.box[second][others[1]]
            edges.append(line)
    return edges


def _draw_box(axes: Axes, scene: Scene, camera: Cameras) -> None:
    """Draw the box's edges, where they are in front of the camera, into its photo."""
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    pose = camera.poses[0].double().numpy()
    for edge in _box_edges(scene, parts=64):
        x, y, z = ((edge - pose[:, 3]) @ pose[:, :3]).T
        depth = np.where(-z > 1e-3 * scene.near, -z, math.nan)
        axes.plot(cx + fx * x / depth - 0.5, cy - fy * y / depth - 0.5, color=_BOX, linewidth=1)
    axes.set_xlim(-0.5, camera.width - 0.5)
    axes.set_ylim(camera.height - 0.5, -0.5)
