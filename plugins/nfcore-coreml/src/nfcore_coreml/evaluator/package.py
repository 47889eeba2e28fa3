"""A saved ``.mlpackage``: its manifest, its ML Program and its weight files.

The layout is that of Core ML's model packages: ``Manifest.json`` names the root model, a protobuf file under
``Data/``; tensors too large for it are stored in blob files next to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

import nfcore
from nfcore.io import read_file, read_json
from nfcore_coreml.evaluator.weights import BlobStorage
from nfcore_coreml.toolchain import MIL_pb2, Model_pb2

FUNCTION = "main"
MANIFEST = "Manifest.json"
#: Bytes of a protobuf message, at most.
_MOST = 2 << 30


@dataclass(frozen=True)
class Package:
    """One package as it is stored on disk.

    Args:
        path: the ``.mlpackage`` folder.
        model_file: the protobuf file in it.
        model: the content of that file.
        blobs: the tensors in the files next to it.

    """

    path: Path
    model_file: Path
    model: Model_pb2.Model
    blobs: BlobStorage

    @classmethod
    def read(cls, path: Path) -> Package:
        """Read the package at ``path``. Its weights are read on use.

        Raises:
            UserError: it is missing, damaged, or not an ML Program.

        """
        model_file = _model_file(path)
        model = Model_pb2.Model()
        try:
            model.ParseFromString(read_file(model_file, _MOST))
        except (nfcore.UserError, DecodeError) as error:
            raise nfcore.UserError(f"{path}: damaged Core ML package: {model_file.name}: {error}") from None
        if model.WhichOneof("Type") != "mlProgram":
            held = model.WhichOneof("Type") or "nothing"
            raise nfcore.UserError(f"{path}: not an ML Program: its {model_file.name} holds {held}")
        return cls(path, model_file, model, BlobStorage(model_file.parent, path))

    @property
    def inputs(self) -> Sequence[MIL_pb2.NamedValueType]:
        """The inputs of the main function.

        Raises:
            UserError: the program has no main function.

        """
        inputs: Sequence[MIL_pb2.NamedValueType] = self._function.inputs
        return inputs

    @property
    def block(self) -> MIL_pb2.Block:
        """The ops of the main function, in the order in which they run.

        Raises:
            UserError: the program has no main function.

        """
        function = self._function
        if function.opset not in function.block_specializations:
            raise nfcore.UserError(f"{self.path}: damaged Core ML package: no block for {function.opset!r}")
        return function.block_specializations[function.opset]

    @property
    def size_ranges(self) -> dict[str, list[tuple[int, float]]]:
        """The minimum and maximum size of each axis of the inputs with flexible shapes, by name."""
        shapes = {given.name: given.type.multiArrayType.shapeRange for given in self.model.description.input}
        return {
            name: [(r.lowerBound, r.upperBound if r.upperBound >= 0 else math.inf) for r in shape.sizeRanges]
            for name, shape in shapes.items()
            if shape.sizeRanges
        }

    @property
    def _function(self) -> MIL_pb2.Function:
        functions = self.model.mlProgram.functions
        if FUNCTION not in functions:
            raise nfcore.UserError(f"{self.path}: damaged Core ML package: no function {FUNCTION!r}")
        return functions[FUNCTION]


def _model_file(path: Path) -> Path:
    """Return the path of the root model, by the manifest."""
    if not path.is_dir():
        raise nfcore.UserError(f"{path}: no such Core ML package")
    manifest_file = path / MANIFEST
    if not manifest_file.is_file():
        raise nfcore.UserError(f"{path}: damaged Core ML package: Manifest.json is missing")
    try:
        manifest = read_json(manifest_file)
        relative: str = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        file = path / "Data" / relative
    except (nfcore.UserError, KeyError, TypeError, ValueError):
        raise nfcore.UserError(f"{path}: damaged Core ML package: Manifest.json names no root model") from None
    if not file.resolve().is_relative_to(path.resolve()):
        raise nfcore.UserError(f"{path}: its manifest names a model outside the package: {relative}")
    return file
