"""SNeRG's fragment shader, one ray at a time in plain Python, on the files as the viewer reads them.

Written from the viewer's source, line by line and in its names, to test the evaluator: it shares nothing with it.
"""

import json
import math

import numpy as np
from PIL import Image


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


class Textures:
    def __init__(self, folder):
        self.scene = json.loads((folder / "scene_params.json").read_text())
        self.index = read(folder / "atlas_indices.png")
        slices = range(self.scene["num_slices"])
        self.rgba = [read(folder / f"rgba_{i:03d}.png") for i in slices]
        self.features = [read(folder / f"feature_{i:03d}.png") for i in slices]
        self.height = self.scene["atlas_height"]

    def texel(self, images, x, y, z):
        return images[z // 4][(z % 4) * self.height + y, x].astype(float)

    def filtered(self, images, position):
        low = [math.floor(p - 0.5) for p in position]
        total = np.zeros(4)
        for corner in range(8):
            place = [low[a] + (corner >> a & 1) for a in range(3)]
            weight = np.prod([1 - abs(position[a] - 0.5 - place[a]) for a in range(3)])
            total += weight * self.texel(images, *place)
        return total / 255

    def small_alpha(self, x, y, z, level=2):
        """A texel of the mipmap of alpha: the mean of eight of the level before, in 8 bits."""
        if level == 0:
            return self.texel(self.rgba, x, y, z)[3]
        parts = [
            self.small_alpha(2 * x + (c & 1), 2 * y + (c >> 1 & 1), 2 * z + (c >> 2), level - 1) for c in range(8)
        ]
        return math.floor(sum(parts) / 8 + 0.5)


def aabb(low, high, origin, inverse):
    t1, t2 = (low - origin) * inverse, (high - origin) * inverse
    return max(np.minimum(t1, t2)), min(np.maximum(t1, t2))


def fragment(textures, v_origin, v_direction, near_plane=0.33):
    scene = textures.scene
    block_size, voxel_size = scene["block_size"], scene["voxel_size"]
    grid_size = np.array([scene[f"grid_{side}"] for side in ("width", "height", "depth")], float)
    direction = v_direction / np.linalg.norm(v_direction)
    origin = (v_origin - np.array([scene[f"min_{axis}"] for axis in "xyz"])) / voxel_size
    inverse = 1 / direction
    t_min, t_max = aabb(np.zeros(3), grid_size, origin, inverse)
    if t_min > t_max:
        return np.ones(3)
    t = max(near_plane / voxel_size, t_min) + 0.5

    def block_at(position):
        block = np.floor(position / block_size)
        blocks_y = math.ceil(grid_size[1] / block_size)
        x, y, z = block.astype(int)
        index = textures.index[z * blocks_y + y, x].astype(float)
        low = block * block_size
        return low, aabb(low, low + block_size, origin, inverse)[1], index

    position = origin + direction * t
    low, leave, index = block_at(position)
    visibility, color, features, step = 1.0, np.zeros(3), np.zeros(4), 0
    while step < math.ceil(np.linalg.norm(grid_size)) and t < t_max and visibility > 1 / 255:
        if index[0] > 254:
            t = 0.5 + leave
        else:
            atlas = np.clip(position - low, 0, block_size) + index * (block_size + 2) + 1
            if textures.small_alpha(*(int(p / 4) for p in atlas)) > 0:
                rgba = textures.filtered(textures.rgba, atlas)
                if rgba[3] > 0.5 / 255:
                    features = features + visibility * textures.filtered(textures.features, atlas)
                    color = color + visibility * rgba[:3]
                    visibility *= 1 - rgba[3]
            t += 1
        position = origin + direction * t
        if t > leave and t < t_max:
            low, leave, index = block_at(position)
        step += 1
    color = visibility + color
    if visibility <= 254 / 255:
        world = np.array(scene["worldspace_T_opengl"])[:3, :3] @ direction
        color = color + network(scene, color, features, world)
    return color


def network(scene, color, features, direction):
    inputs = []
    for index in range(27):
        coordinate = direction[index % 3]
        if index >= 3:
            coordinate *= 2.0 ** (((index - 3) % 12) // 3)
            coordinate = math.sin(coordinate + (math.pi / 2 if index - 3 >= 12 else 0))
        inputs.append(coordinate)
    values = [0 if abs(v) < 0.1 / 255 else v for v in [*inputs, *color, *features]]
    for layer in range(3):
        bias = [float(f"{b:.7f}") for b in scene[f"{layer}_bias"]]
        values = np.array(bias) + np.array(values) @ np.array(scene[f"{layer}_weights"])
        if layer < 2:
            values = np.maximum(values, 0)
    return 1 / (1 + np.exp(-values))
