"""Generated text of shaders, in GLSL and WGSL: numbers, and a network as products of 4 x 4 matrices."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class ShaderLanguage:
    """How the two shading languages differ in what is generated.

    Args:
        vector: the type of n floats, for n = 2, 3, 4.
        matrix: the type of 4 x 4 floats.
        constant: a constant of a type, from its name, type and value.
        local: likewise, within a function.
        types: the names of a float and of an integer.

    """

    vector: str
    matrix: str
    constant: str
    local: str
    types: tuple[str, str]


GLSL = ShaderLanguage(
    "vec{}", "mat4", "const {type} {name} = {value};", "{type} {name} = {value};", ("float", "int")
)
WGSL = ShaderLanguage(
    "vec{}f", "mat4x4f", "const {name}: {type} = {value};", "let {name}: {type} = {value};", ("f32", "i32")
)


def fill_shader(text: str, parts: Mapping[str, Iterable[str]]) -> str:
    """Return a shader's ``text`` with the lines of each part in place of its line ``//: NAME``."""
    for name, lines in parts.items():
        text = text.replace(f"//: {name}\n", "".join(f"{line}\n" for line in lines))
    return text


def shader_network(
    layers: Sequence[tuple[Array, Array]], inputs: list[str], language: ShaderLanguage
) -> Generator[str, None, str]:
    """Yield the statements of a network with ReLU between its layers; return the name of its first four outputs.

    Args:
        layers: weight (outputs, inputs) and bias (outputs,) of each layer; padded with zeros to multiples of 4.
        inputs: names of the vectors of four inputs each.
        language: of the shader.

    """
    vector = language.vector.format(4)
    for number, (weight, bias) in enumerate(layers):
        weight = np.pad(weight, ((0, -len(bias) % 4), (0, 4 * len(inputs) - weight.shape[1])))
        bias = np.pad(bias, (0, -len(bias) % 4))
        outputs = []
        for row in range(0, len(bias), 4):
            terms = [f"{vector}({shader_numbers(bias[row : row + 4])})"]
            for i, name in enumerate(inputs):
                part = weight[row : row + 4, 4 * i : 4 * i + 4].T.ravel()  # column by column
                terms.append(f"{language.matrix}({shader_numbers(part)}) * {name}")
            value = " + ".join(terms)
            value = f"max({value}, {vector}(0.0))" if number + 1 < len(layers) else value
            outputs.append(f"layer{number}_{row // 4}")
            yield "  " + language.local.format(type=vector, name=outputs[-1], value=value)
        inputs = outputs
    return inputs[0]


def shader_numbers(numbers: Iterable[float]) -> str:
    """Return literals of float32 numbers, in both languages.

    >>> shader_numbers([1, 0.25, 1e-9])
    '1.0, 0.25, 1e-09'
    """
    texts = [f"{float(number):.9g}" for number in numbers]
    return ", ".join(text if any(mark in text for mark in ".en") else f"{text}.0" for text in texts)
