"""The SnapML exporter: a student as the three ONNX files that Snap's lenses take."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Literal

import onnx
import onnxruntime
import torch
from onnx import ModelProto
from pydantic import Field
from torch import Tensor, nn

import nfcore
from nfcore import DeployedLightField, Exported, ExportedFile, LightField, Port, Runner, Tolerance, UserError
from nfcore.exports import strip_notes
from nfcore_snapml.graphs import GELU, OPERATOR_SET, convert
from nfcore_snapml.halves import Embedder, Sampler
from nfcore_snapml.lens import EMBEDDER, INTRINSICS, NAMES, NETWORK, SAMPLER, Lens

MEANINGS = {
    "c2w33": "the pose's rotation, camera to world: columns are the camera's right, up and back (OpenGL axes)",
    "c2w13": "the position of the camera in the world, scene units",
    INTRINSICS: "fx, fy, cx, cy in pixels of the image; pixel centres at +0.5",
    "pts": "coordinates of the points along each ray: axis 2 rays, row by row; axis 3 point by point x, y, z",
    "rays": "pts of the Sampler",
    "embbrays": "features (axis 1) of each coordinate (axis 3) of each ray (axis 2)",
    "input": "embbrays of the Embedder, copied as both are stored channels last: channels, rows, columns of rays",
    "output": "RGB in [0, 1], top row first; Lens Studio needs 255 as the scale of its channels",
}

UNVERIFIED = (
    "Lens Studio and SnapML: they run on macOS, Windows and phones only, so import and speed were not tried",
    f"{GELU}: SnapML's own node, not documented; it was run as the exact GELU, x * Phi(x)",
    "the precision of SnapML's backends, which they choose themselves",
)


class SnapML(nfcore.Exporter[LightField]):
    """``Sampler.onnx``, ``Embedder.onnx``, ``Network.onnx``: pose to points to features to image.

    The format of MobileR2L's reference code, with its names and shapes, for Snap's lens project. The student's
    encoding must be made of points and their embedding (``RayEncoding.halves``). All files are fp32, for one
    camera at a time.
    """

    class Options(nfcore.Options):
        """Options of the SnapML exporter."""

        intrinsics: Literal["fixed", "input"] = Field(
            "fixed",
            description="Those of the reference cameras in the Sampler, as Snap's lens project expects, or a "
            "third input of the Sampler",
        )

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """1e-4 and 80 dB: rounding only."""
        return Tolerance(psnr=80, max_error=1e-4)

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write the three files; the same student gives the same bytes.

        Raises:
            UserError: the encoding is not made of points and their embedding, or the reference cameras' intrinsics
                differ although the Sampler must contain them.
            NfcoreError: the student can't be expressed in SnapML's operator set.

        """
        camera = self._camera(student)
        points, embedding = _halves(student)
        sampler, embedder = Sampler(points, student, camera).eval(), Embedder(embedding).eval()
        first = student.cameras[0].to("cpu")
        pose = (first.poses[:, None, :, :3], first.poses[:, None, :, 3:].transpose(2, 3))
        seen = pose if camera else (*pose, first.intrinsics[:, None, None])
        coordinates = sampler(*seen)
        network = DeployedLightField(student).image
        features = torch.zeros(1, student.encoding.channels, *student.grid)
        steps: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
            SAMPLER: (sampler, seen),
            EMBEDDER: (embedder, (coordinates,)),
            NETWORK: (network, (features,)),
        }
        models = {}
        with torch.no_grad():
            for name, (module, example) in steps.items():
                inputs, output = NAMES[name]
                models[name] = convert(module, example, (*inputs, INTRINSICS)[: len(example)], output)
        for name, model in models.items():
            _describe(model, name, student, camera)
            (folder / name).write_bytes(model.SerializeToString(deterministic=True))
        return Exported(
            files=tuple(_file(name, model) for name, model in models.items()),
            precision="fp32",
            target=f"SnapML (Lens Studio), ONNX opset {OPERATOR_SET}",
            unverified=UNVERIFIED,
            report={"operations": {name: _operations(model) for name, model in models.items()}},
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the files in ``folder`` into ONNX Runtime on the CPU, SnapML's GELU as the exact one.

        Raises:
            UserError: a file is missing, damaged or not from this exporter.

        """
        verified_by = f"ONNX Runtime {onnxruntime.__version__} (CPU), {GELU} as exact GELU"
        return Runner(verified_by, Lens(folder, threads), timed=False)  # a lens uses another runtime

    def _camera(self, student: LightField) -> nfcore.Cameras | None:
        """Return the camera whose intrinsics the Sampler contains, or None if they are its input."""
        if self.options.intrinsics == "input":
            return None
        intrinsics = student.cameras.intrinsics
        if not torch.equal(intrinsics, intrinsics[:1].expand_as(intrinsics)):
            raise UserError(
                "exporter 'snapml': the student's reference cameras differ in their intrinsics, but the Sampler "
                'contains one set; intrinsics = "input" makes them its third input'
            )
        return student.cameras[0].to("cpu")


def _halves(student: LightField) -> tuple[nn.Module, nn.Module]:
    encoding = copy.deepcopy(student.encoding).cpu().float().eval().requires_grad_(False)
    halves = encoding.halves()
    if halves is None:
        raise UserError(
            f"exporter 'snapml': the encoding {type(encoding).__name__} is not made of points and their "
            "embedding, which a lens runs separately: use a student with the encoding 'points'"
        )
    return halves


def _describe(model: ModelProto, name: str, student: LightField, camera: nfcore.Cameras | None) -> None:
    """Add description and provenance to the file, and remove metadata of torch and the optimiser."""
    strip_notes(model)
    graph = model.graph
    model.producer_name, model.producer_version = "nfcore", nfcore.__version__
    graph.name = name.removesuffix(".onnx")
    for value in (*graph.input, *graph.output):
        value.doc_string = MEANINGS[value.name]
    rows, columns = student.grid
    notes = {
        "nfcore_version": nfcore.__version__,
        "image_width": str(student.cameras.width),
        "image_height": str(student.cameras.height),
        "grid_width": str(columns),
        "grid_height": str(rows),
        "scene": student.scene.model_dump_json(),
    }
    if camera is not None:
        notes[INTRINSICS] = json.dumps(camera.intrinsics[0].tolist())
    onnx.helper.set_model_props(model, notes)


def _file(name: str, model: ModelProto) -> ExportedFile:
    def port(value: onnx.ValueInfoProto) -> Port:
        shape = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        return Port(value.name, shape, "float32", MEANINGS[value.name])

    return ExportedFile(
        name, tuple(port(value) for value in model.graph.input), tuple(port(value) for value in model.graph.output)
    )


def _operations(model: ModelProto) -> dict[str, int]:
    """Return the number of nodes of each operation."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))
