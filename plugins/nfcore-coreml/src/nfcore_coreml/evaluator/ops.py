"""The table of MIL ops that the evaluator supports, by name.

Each is one small function; its name, parameters and defaults are those of its definition in coremltools,
converters/mil/mil/ops/defs. Values are tensors, floats in float32 (and modes as strings); results are
float32 too, and ``program`` rounds them to the type that the program declares. A form of an op that a function
does not cover is a NotImplementedError.
"""

from nfcore_coreml.evaluator.elementwise import ELEMENTWISE
from nfcore_coreml.evaluator.layers import LAYERS
from nfcore_coreml.evaluator.parameters import Op
from nfcore_coreml.evaluator.resizing import RESIZING
from nfcore_coreml.evaluator.shapes import SHAPES

OPS: dict[str, Op] = ELEMENTWISE | SHAPES | LAYERS | RESIZING
