"""The files of an ONNX export: names, tensors, metadata, and loading."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

import nfcore
from nfcore import LightField, UserError

#: The file of an export as one graph.
FILE = "light_field.onnx"
#: The files of a split export: from camera to the features of the rays, and from these to the image.
RAYS, NETWORK = "rays.onnx", "network.onnx"
#: The file of an export that takes rays.
OF_RAYS = "of_rays.onnx"

#: The files of each form, in the order in which they run.
FORMS = {"single": (FILE,), "split": (RAYS, NETWORK), "rays": (OF_RAYS,)}

#: Inputs and outputs of each file, by name.
TENSORS = {
    FILE: (("pose", "intrinsics"), ("image",)),
    RAYS: (("pose", "intrinsics"), ("features",)),
    NETWORK: (("features",), ("image",)),
    OF_RAYS: (("origins", "directions"), ("image",)),
}
_TEXTS = {
    FILE: "A neural light field: camera in, {image} image out.",
    RAYS: "The first half of a neural light field: camera in, features of its rays out.",
    NETWORK: "The second half of a neural light field: features of its rays in, {image} image out.",
    OF_RAYS: "A neural light field: rays in, one for each block of pixels; image out.",
}


def open_session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Return a session of one file on the CPU, with ``threads`` threads; None for all cores.

    Raises:
        UserError: the file is missing, damaged or not from this exporter.

    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: all cores
    if not path.is_file():
        raise UserError(f"{path}: no such file; export the student to get it")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for what it raises on loading
        reason = str(error).strip().partition("\n")[0].rpartition("failed:")[2]
        raise UserError(f"{path}: damaged, ONNX Runtime can't load it: {reason}") from None
    names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
    expected = [name for side in TENSORS[path.name] for name in side]
    if names != expected:
        raise UserError(f"{path}: not a light field: it has {', '.join(names)}, not {', '.join(expected)}")
    return session


def text(student: LightField, name: str) -> str:
    """Return the description of the file ``name``."""
    return _TEXTS[name].format(image=f"{student.cameras.width}x{student.cameras.height}")


def notes(student: LightField, precision: str) -> dict[str, str]:
    """Return the metadata of a file, by name."""
    return {
        "nfcore_version": nfcore.__version__,
        "precision": precision,
        "image_width": str(student.cameras.width),
        "image_height": str(student.cameras.height),
        "pixels_per_ray": str(student.scale),
        "axes": "world right-handed; poses camera to world, OpenGL: x right, y up, the camera looks down -z",
        "units": "poses in scene units, those of the data set; intrinsics in pixels",
        "scene": student.scene.model_dump_json(),
    }
