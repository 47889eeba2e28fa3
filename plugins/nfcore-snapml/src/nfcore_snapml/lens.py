"""The three files of a lens, run in sequence by ONNX Runtime, as the lens's script runs them in SnapML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from torch import Tensor

from nfcore import UserError
from nfcore.io import read_file
from nfcore_snapml.graphs import runnable

Array = NDArray[np.float32]

#: Bytes of an ONNX file, at most.
_MOST = 2 << 30
#: The files in the order in which they run, with their inputs and outputs.
SAMPLER, EMBEDDER, NETWORK = "Sampler.onnx", "Embedder.onnx", "Network.onnx"
POSE, INTRINSICS = ("c2w33", "c2w13"), "intrinsics"
NAMES = {SAMPLER: (POSE, "pts"), EMBEDDER: (("rays",), "embbrays"), NETWORK: (("input",), "output")}


class Lens:
    """The files of one export, loaded.

    Args:
        folder: the export's folder.
        threads: threads of ONNX Runtime; None for its default.

    Raises:
        UserError: a file is missing, damaged or not from this exporter.

    """

    def __init__(self, folder: Path, threads: int | None) -> None:
        self.path = folder / SAMPLER
        self.sessions = {name: _load(folder / name, threads) for name in NAMES}
        self.fixed = self._fixed_intrinsics()

    def __call__(self, poses: Tensor, intrinsics: Tensor) -> Tensor:
        """Return images (b, 3, H, W) float32 in [0, 1], camera by camera, as a lens does.

        Raises:
            UserError: the intrinsics differ from the Sampler's.

        """
        pairs = zip(poses.numpy(force=True), intrinsics.numpy(force=True), strict=True)
        return torch.from_numpy(np.concatenate([self._image(pose, seen) for pose, seen in pairs]))

    def _image(self, pose: Array, intrinsics: Array) -> Array:
        camera = {"c2w33": pose[None, None, :, :3], "c2w13": pose[None, None, None, :, 3]}
        if self.fixed is None:
            camera[INTRINSICS] = intrinsics.reshape(1, 1, 1, 4)
        elif not np.allclose(intrinsics, self.fixed, rtol=1e-6, atol=0):
            raise UserError(
                f"{self.path}: made for fx, fy, cx, cy = {_plain(self.fixed)}, not {_plain(intrinsics)}; "
                f'export with intrinsics = "input" for others'
            )
        points = self._run(SAMPLER, camera)
        features = self._run(EMBEDDER, {"rays": points})
        network = self.sessions[NETWORK].get_inputs()[0]
        return self._run(NETWORK, {"input": _copied(features, network.shape)})

    def _run(self, name: str, values: dict[str, Array]) -> Array:
        values = {key: np.ascontiguousarray(value) for key, value in values.items()}
        result: Array = self.sessions[name].run(None, values)[0]
        return result

    def _fixed_intrinsics(self) -> Array | None:
        """Return the Sampler's intrinsics (4,), or None if they are an input."""
        session = self.sessions[SAMPLER]
        if INTRINSICS in {value.name for value in session.get_inputs()}:
            return None
        try:
            fixed = np.array(json.loads(session.get_modelmeta().custom_metadata_map[INTRINSICS]), np.float32)
        except (KeyError, ValueError):
            fixed = np.empty(0, np.float32)
        if fixed.shape != (4,):
            raise UserError(f"{self.path}: its metadata has no intrinsics; export it again")
        return fixed


def _copied(tensor: Array, shape: list[int]) -> Array:
    """Return a tensor (1, C, H, W) reshaped in Lens Studio's memory layout, channels last."""
    _, channels, height, width = shape
    last = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    return last.reshape(1, height, width, channels).transpose(0, 3, 1, 2)


def _load(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise UserError(f"{path}: no such file; export the student to get it")
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        model = onnx.load_from_string(read_file(path, _MOST))
        runnable(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except UserError:
        raise
    except DecodeError:
        raise UserError(f"{path}: damaged, it is not an ONNX file") from None
    except Exception as error:  # ONNX Runtime has no common base for what it raises on loading
        reason = str(error).strip().partition("\n")[0].rpartition("failed:")[2]
        raise UserError(f"{path}: damaged, ONNX Runtime can't load it: {reason}") from None
    inputs, output = NAMES[path.name]
    names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
    if names not in ([*inputs, output], [*inputs, INTRINSICS, output]):
        raise UserError(
            f"{path}: not from this exporter: it has {', '.join(names)}, not {', '.join((*inputs, output))}"
        )
    return session


def _plain(values: Any) -> str:
    return ", ".join(f"{value:g}" for value in values)
