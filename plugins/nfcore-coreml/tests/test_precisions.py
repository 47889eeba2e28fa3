"""Compressed weights: what each precision leaves of a student, where it runs, and that it is what was asked."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import nfcore
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.values import ELEMENTS
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE
from nfcore_coreml.palettes import palette, palettized
from nfcore_coreml.precision import PRECISIONS
from nfcore_coreml.report import report
from nfcore_coreml.toolchain import MIL_pb2, coremltools, optimize, quiet

pytestmark = pytest.mark.slow

COMPRESSED = [name for name in PRECISIONS if name != "fp16"]


def exported(student, folder, **options) -> Package:
    CoreML(CoreML.Options(**options)).export(student, folder)
    return Package.read(folder / PACKAGE)


def weights(folder) -> dict[str, dict]:
    """What the report says of the weights in a folder's package, by their kind."""
    return {row["kind"]: row for row in report(Package.read(folder / PACKAGE))["weights"]}


def size(folder) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def types(package: Package) -> set[str]:
    return {operation.type for operation in package.block.operations}


def weight_of(package: Package, name: str) -> torch.Tensor:
    """Return a palettized weight as the program holds it when it is loaded."""
    return Program(package)._constants[f"{name}_palettized"]


@pytest.fixture(scope="module")
def packages(plain_student, tmp_path_factory):
    """The folder of the student's package at each precision; to be read only."""
    folders = {}
    for name in PRECISIONS:
        folders[name] = tmp_path_factory.mktemp(name)
        exported(plain_student, folders[name], precision=name)
    return folders


@pytest.mark.parametrize("name", COMPRESSED)
def test_fewer_bits_are_a_smaller_file_that_still_shows_the_picture(name, packages, plain_student, psnr):
    program = 80_000  # bytes that are no weights
    share = PRECISIONS[name].bits / 16
    assert size(packages[name]) < program + (size(packages["fp16"]) - program) * (share + 0.25)
    assert (
        psnr(plain_student, packages[name]).min() > PRECISIONS[name].required_psnr - 6
    )  # random weights are the worst case


def test_more_bits_are_nearer_to_torch(packages, plain_student, psnr):
    found = {name: psnr(plain_student, folder).mean() for name, folder in packages.items()}
    assert found["fp16"] > found["palette-8"] > found["palette-6"] > found["palette-4"]


@pytest.mark.parametrize("name", COMPRESSED)
def test_the_evaluator_decompresses_as_coremltools_does(name, packages, plain_student, tmp_path):
    path = packages[name] / PACKAGE
    with quiet():
        model = coremltools.models.MLModel(str(path), skip_model_load=True)
        optimize.decompress_weights(model).save(str(tmp_path / PACKAGE))
    assert any(kind.startswith("constexpr") for kind in types(Package.read(path)))
    plain = Package.read(tmp_path / PACKAGE)
    assert not any(kind.startswith("constexpr") for kind in types(plain))
    camera = {"pose": plain_student.cameras.poses[:1], "intrinsics": plain_student.cameras.intrinsics[:1]}
    assert torch.equal(Program(Package.read(path))(**camera)["image"], Program(plain)(**camera)["image"])


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_oldest_system_follows_from_the_precision(name, packages):
    version = 9 if name.startswith("grouped") else 7
    assert Package.read(packages[name] / PACKAGE).model.specificationVersion == version


@pytest.mark.parametrize("name", COMPRESSED)
def test_what_is_fp32_is_left_alone(name, packages):
    def fp32(folder):
        block = Package.read(folder / PACKAGE).block
        kept = [op for op in block.operations if op.outputs[0].type.tensorType.dataType == MIL_pb2.FLOAT32]
        return [(op.type, op.outputs[0].name) for op in kept if op.type != "const"]

    assert fp32(packages[name]) == fp32(packages["fp16"])


@pytest.mark.parametrize("bits", [6, 4])
def test_palettes_by_group_are_nearer_to_the_weights_than_one_for_all(bits, packages, plain_student):
    parameter = "image.network.0.layers.0.weight"
    weight = nfcore.DeployedLightField(plain_student).get_parameter(parameter)
    errors = {
        scheme: (
            weight_of(Package.read(packages[f"{scheme}-{bits}"] / PACKAGE), "p_" + parameter.replace(".", "_"))
            - weight
        )
        .square()
        .mean()
        for scheme in ("grouped", "palette")
    }
    assert errors["grouped"] < errors["palette"]


def test_a_system_that_is_too_old_is_refused():
    with pytest.raises(nfcore.UserError, match=r"grouped-6 .*iOS18, not iOS17"):
        CoreML.Options(precision="grouped-6", minimum_target="iOS17")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("palette-6", "6-bit palettes"), ("grouped-4", "4-bit palettes by group"), ("int8", "int8 with scales")],
)
def test_the_report_names_weights_by_their_compression(name, kind, packages):
    row, bits = weights(packages[name])[kind], PRECISIONS[name].bits
    assert bits / 8 <= row["bytes"] / row["values"] < bits / 8 + 0.3


@pytest.mark.parametrize(("target", "name"), [("iOS17", "palette-6"), ("iOS18", "int8")])
def test_weights_are_compressed_for_newer_systems_too(target, name, plain_student, packages, tmp_path, psnr):
    exported(plain_student, tmp_path, precision=name, minimum_target=target)
    assert size(tmp_path) < 1.1 * size(packages[name])
    torch.testing.assert_close(
        psnr(plain_student, tmp_path), psnr(plain_student, packages[name]), rtol=0, atol=0.5
    )


def test_single_layers_have_bits_of_their_own(plain_student, tmp_path):
    bits = {"backbone.layers.0": 4, "upsampler.layers.0": 8}
    exporter = CoreML(CoreML.Options(precision="palette-6", bits=bits))
    said = exporter.export(plain_student, tmp_path)
    assert said.precision == "6-bit k-means, 1 layers of 8-bit k-means, 1 layers of 4-bit k-means"
    package = Package.read(tmp_path / PACKAGE)
    deployed = nfcore.DeployedLightField(plain_student)
    for name, parameter, number in (
        ("p_image_network_0_layers_0_weight", "image.network.0.layers.0.weight", 4),
        ("p_image_network_1_layers_0_weight", "image.network.1.layers.0.weight", 8),
        ("p_image_network_0_layers_2_layers_0_weight", "image.network.0.layers.2.layers.0.weight", 6),
    ):
        weight = deployed.get_parameter(parameter)
        assert torch.equal(weight_of(package, name), exporter.rounded(weight, number))
        assert len(weight_of(package, name).unique()) <= 2**number


def test_the_coarsest_layer_sets_the_floor():
    assert CoreML(CoreML.Options(bits={"backbone.layers.0": 6})).tolerance.psnr == 40


def test_a_split_export_is_compressed_by_the_same_names(plain_student, tmp_path):
    CoreML(CoreML.Options(form="split", bits={"backbone.layers.0": 4})).export(plain_student, tmp_path)
    network = Package.read(tmp_path / "network.mlpackage")
    assert len(weight_of(network, "p_network_0_layers_0_weight").unique()) <= 16


def test_a_layer_that_the_student_lacks_is_refused_by_name(plain_student, tmp_path):
    with pytest.raises(
        nfcore.UserError, match=r"no layer 'backbone.layers.99' with fp16 weights; it has backbone.layers.0, "
    ):
        exported(plain_student, tmp_path, bits={"backbone.layers.99": 4})
    assert list(tmp_path.iterdir()) == []


def with_tables(box_student) -> nfcore.RayEncoding:
    """Return an encoding whose first channels come from a table, and one from a table of a single column."""

    class Tables(type(box_student.encoding)):
        def __init__(self):
            super().__init__(box_student.scene, in_box=False)
            generator = torch.Generator().manual_seed(0)
            self.features = nn.Module()
            self.features.register_buffer("table", torch.rand(900, 8, generator=generator))
            self.register_buffer("geometry", torch.rand(900, 1, generator=generator))

        def deployed(self, target):
            self.features.half()
            self.geometry = self.geometry.half()
            return self

        def forward(self, origins, directions):
            places = ((directions.movedim(1, -1)[..., 0] + 2) * 200).clamp(0, 899).int()
            found = torch.cat([self.features.table[places], self.geometry[places]], -1)
            return torch.cat([found.float().movedim(-1, 1), super().forward(origins, directions)[:, 9:]], 1)

    return Tables()


@pytest.mark.parametrize(
    ("options", "left"),
    [({"precision": "int8"}, 256), ({"bits": {"encoding.features": 6}}, 64)],
    ids=["int8", "bits"],
)
def test_tables_of_features_are_compressed_and_geometry_is_not(options, left, box_student, tmp_path):
    encoding = with_tables(box_student)
    student = nfcore.LightField(
        encoding,
        box_student.backbone,
        box_student.upsampler,
        scene=box_student.scene,
        cameras=box_student.cameras,
    )
    package = exported(student, tmp_path, **options)
    assert len(weight_of(package, "b_rays_encoding_features_table").unique()) == left
    assert torch.equal(Program(package)._constants["b_rays_encoding_geometry"], encoding.geometry.half().float())


def test_bits_that_no_palette_has_are_refused():
    with pytest.raises(nfcore.UserError, match=r"backbone.layers.0 can have 8, 6 or 4 bits"):
        CoreML.Options(bits={"backbone.layers.0": 5})


def test_a_weight_that_would_grow_stays_fp16(plain_student, packages):
    # The last convolution has 24 weights; a palette of 256 takes 512 bytes.
    names = {
        operation.outputs[0].name
        for operation in Package.read(packages["palette-8"] / PACKAGE).block.operations
        if operation.type == "const" and operation.outputs[0].type.tensorType.dataType == MIL_pb2.FLOAT16
    }
    assert "p_image_network_1_layers_2_weight" in names
    assert "p_image_network_1_layers_0_weight" not in names


def test_a_palette_is_the_best_of_all():
    weights = np.random.default_rng(0).normal(size=9).astype(np.float16)
    entries, indices = palette(weights, 2)
    found = np.square(entries[indices].astype(float) - weights).sum()
    ordered = np.sort(weights.astype(float))
    errors = [
        sum(np.square(part - part.mean()).sum() for part in np.split(ordered, cuts))
        for cuts in itertools.combinations(range(1, 9), 3)
    ]
    assert found == pytest.approx(min(errors), rel=1e-3)
    assert list(entries) == sorted(entries)


@pytest.mark.parametrize("precision", ["palette-6", "grouped-6"])
def test_exported_again_it_is_the_same_and_no_palette_is_sought_twice(
    plain_student, packages, tmp_path, monkeypatch, precision
):
    sought = []

    def noted(weights, bits):
        sought.append((weights.tobytes(), bits))
        return palette(weights, bits)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("nfcore_coreml.palettes.palette", noted)
    exported(plain_student, tmp_path / "again", precision=precision)
    assert sought
    assert len(sought) == len(set(sought))
    assert list((tmp_path / "temporary").iterdir()) == []
    for file in packages[precision].rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "again" / file.relative_to(packages[precision])).read_bytes()


def test_a_palette_with_room_for_all_weights_loses_nothing():
    weight = torch.tensor([[0.5, -0.25], [0.5, 2.0]])
    assert torch.equal(palettized(weight, 4), weight)


def test_packed_indices_have_the_width_of_the_precision(packages):
    package = Package.read(packages["palette-6"] / PACKAGE)
    table = next(op for op in package.block.operations if op.type == "constexpr_lut_to_dense")
    indices, shape = (table.attributes[name].type.tensorType for name in ("indices", "shape"))
    assert indices.dataType == MIL_pb2.UINT8
    assert ELEMENTS[MIL_pb2.UINT6].bits == 6
    assert shape.dimensions[0].constant.size == 4
