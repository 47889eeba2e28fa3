"""The shaders of one field: its numbers as constants and its network as products of 4 x 4 matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from nfcore.geometry import far_face_ratios
from nfcore.viewer import GLSL, WGSL, ShaderLanguage, fill_shader, shader_network, shader_numbers
from nfcore_webgl.header import Header

Matrix = NDArray[np.float64]
_FRONT = files("nfcore_webgl") / "front"
_BOX, _NDC, _CONTRACTED = range(3)
#: Real spherical harmonics from degree 1 on, in the order of ``nfcore.geometry.spherical_harmonics``.
_HARMONICS = (
    "-0.4886025119 * d.y", "0.4886025119 * d.z", "-0.4886025119 * d.x",
    "1.0925484306 * d.x * d.y", "-1.0925484306 * d.y * d.z", "0.3153915653 * (3.0 * d.z * d.z - 1.0)",
    "-1.0925484306 * d.x * d.z", "0.5462742153 * (d.x * d.x - d.y * d.y)",
    "-0.5900435899 * d.y * (3.0 * d.x * d.x - d.y * d.y)", "2.8906114426 * d.x * d.y * d.z",
    "-0.4570457995 * d.y * (5.0 * d.z * d.z - 1.0)", "0.3731763326 * d.z * (5.0 * d.z * d.z - 3.0)",
    "-0.4570457995 * d.x * (5.0 * d.z * d.z - 1.0)", "1.4453057213 * d.z * (d.x * d.x - d.y * d.y)",
    "-0.5900435899 * d.x * (d.x * d.x - 3.0 * d.y * d.y)",
)  # fmt: skip


def textures_of(values: int) -> int:
    """Return how many RGBA textures hold a density and ``values``."""
    return -(-(1 + values) // 4)


def vertex_shader() -> str:
    """Return the GLSL ES 3.00 of the vertex shader."""
    return front("field.vert")


def fragment_shader(header: Header) -> str:
    """Return the GLSL ES 3.00 of the fragment shader of a field."""
    count = textures_of(header.values)
    sums = f"vec4 sums[{count}]"
    add = [f"sums[{i}] += weight * texture(values{i}, texel);" for i in range(1, count)]
    network = [
        f"void addValues(inout {sums}, float weight, vec4 first, vec3 texel) {{",
        *(f"  {line}" for line in ("sums[0].gba += weight * first.gba;", *add)),
        "}",
        f"vec3 network({sums}, vec3 d) {{",
        *_network(header, GLSL),
        "}",
    ]
    samplers = [f"uniform sampler3D values{i};" for i in range(count)]
    constants = _constants(header, GLSL)
    return fill_shader(front("field.frag"), {"textures": samplers, "constants": constants, "network": network})


def webgpu_shader(header: Header) -> str:
    """Return the WGSL of a field, with both entry points, ``vertex`` and ``fragment``."""
    count = textures_of(header.values)
    sums = f"array<vec4f, {count}>"
    add = [f"sums[{i}] += weight * textureSampleLevel(values{i}, linear, texel, 0.0);" for i in range(1, count)]
    network = [
        f"fn addValues(sums: ptr<function, {sums}>, weight: f32, first: vec4f, texel: vec3f) {{",
        "  (*sums)[0] += vec4f(0.0, weight * first.gba);",
        *(f"  {line.replace('sums[', '(*sums)[', 1)}" for line in add),
        "}",
        f"fn network(sums: {sums}, d: vec3f) -> vec3f {{",
        *_network(header, WGSL),
        "}",
    ]
    textures = [f"@group(0) @binding({6 + i}) var values{i}: texture_3d<f32>;" for i in range(count)]
    constants = _constants(header, WGSL)
    return fill_shader(front("field.wgsl"), {"textures": textures, "constants": constants, "network": network})


def _constants(header: Header, language: ShaderLanguage) -> list[str]:
    """Return declarations of the field's numbers."""
    scene, grid, march, density = header.scene, header.grid, header.march, header.density
    centre = [(low + high) / 2 for low, high in zip(*scene.box, strict=True)]
    half = [(high - low) / 2 for low, high in zip(*scene.box, strict=True)]
    kind = _NDC if scene.forward_facing else _CONTRACTED if scene.unbounded else _BOX
    ratios = far_face_ratios(scene) if scene.forward_facing else (1.0, 1.0)
    whole = {
        "BOX": _BOX, "NDC": _NDC, "CONTRACTED": _CONTRACTED, "KIND": kind, "TEXTURES": textures_of(header.values),
    }  # fmt: skip
    numbers = {
        "NEAR": scene.near, "FAR": scene.far, "STEP": march.step, "STOP": march.stop, "LEAST_WEIGHT": march.least,
        "GAIN": density.gain, "SHIFT": density.shift, "DENSITY_SCALE": density.scale,
        "DENSITY_LOW": density.low, "DENSITY_HIGH": density.high, "SCALE": 1 / (2 * math.prod(half) ** (1 / 3)),
    }  # fmt: skip
    vectors = {
        "GRID_LOW": grid.low, "GRID_SPACING": grid.spacing, "GRID_SHAPE": grid.shape, "MARCH_LOW": march.low,
        "MARCH_HIGH": march.high, "RATIOS": ratios, "BOX_CENTRE": centre, "BOX_HALF": half,
        "BACKGROUND": scene.background,
    }  # fmt: skip
    declared = language.constant.format
    real, integer = language.types
    lines = [declared(type=integer, name=name, value=value) for name, value in whole.items()]
    lines += [declared(type=real, name=name, value=shader_numbers([value])) for name, value in numbers.items()]
    for name, values in vectors.items():
        vector = language.vector.format(len(values))
        lines.append(declared(type=vector, name=name, value=f"{vector}({shader_numbers(values)})"))
    return lines


def _network(header: Header, language: ShaderLanguage) -> Iterator[str]:
    """Yield the body of ``network(sums, d)``, which returns the RGB that is added where a ray is opaque."""
    vector = language.vector.format(4)
    harmonics = [*_HARMONICS[: (header.harmonics + 1) ** 2 - 1], "0.0"]
    inputs = [f"sums[{i}]" for i in range(textures_of(header.values))]
    for first in range(0, len(harmonics) - 1, 4):
        four = ", ".join((harmonics[first : first + 4] + ["0.0"] * 4)[:4])
        name = f"harmonics{first // 4}"
        yield "  " + language.local.format(type=vector, name=name, value=f"{vector}({four})")
        inputs.append(name)
    layers = [(np.array(layer.weight), np.array(layer.bias)) for layer in header.network]
    layers[0] = _spread(layers[0][0], header.values), layers[0][1]
    result = yield from shader_network(layers, inputs, language)
    yield f"  return {result}.xyz;"


def _spread(weight: Matrix, values: int) -> Matrix:
    """Return the first layer's weights for inputs in fours: opacity (ignored), values, zeros, harmonics."""
    outputs = len(weight)
    room = np.zeros((outputs, -(1 + values) % 4))
    return np.concatenate([np.zeros((outputs, 1)), weight[:, :values], room, weight[:, values:]], 1)


def front(name: str) -> str:
    """Return a file of ``front/``."""
    return (_FRONT / name).read_text(encoding="utf-8")
