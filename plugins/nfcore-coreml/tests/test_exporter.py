"""What the exporter writes: inputs, outputs, precision, description; and that the saved files match torch."""

import json
import logging
import platform
import subprocess
import sys
import tempfile

import pytest
import torch
import tqdm

import nfcore
from nfcore.exports import Conversions
from nfcore_coreml.evaluator import Package
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE
from nfcore_coreml.toolchain import MIL_pb2, coremltools, quiet

pytestmark = pytest.mark.slow

ON_MACOS = bool(platform.mac_ver()[0])


def element_types(package: Package, *ops: str) -> set[int]:
    """Return the element types of all results of these ops."""
    found = [operation for operation in package.block.operations if operation.type in ops]
    assert found, f"none of {ops} in the program"
    return {operation.outputs[0].type.tensorType.dataType for operation in found}


def test_the_saved_package_matches_torch_on_several_poses(student, exported, psnr):
    assert psnr(student, exported(student)).min() > CoreML(CoreML.Options()).tolerance.psnr


def test_the_students_have_contrast_so_that_parity_means_something(student):
    assert student.render(student.cameras).std((1, 2, 3)).min() > 0.05


def test_the_runner_renders_any_number_of_views_and_says_what_ran_them(student, exported):
    runner = CoreML(CoreML.Options()).load(exported(student))
    cameras = student.cameras
    images = runner.render(cameras.poses, cameras.intrinsics)
    assert images.shape == (3, 3, cameras.height, cameras.width)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images, student.render(cameras), atol=2e-3, rtol=0)
    if not ON_MACOS:
        assert "nfcore-coreml's evaluator" in runner.verified_by
        assert "not the Neural Engine" in runner.verified_by


@pytest.mark.skipif(not ON_MACOS, reason="Core ML's own predict runs on macOS only")
def test_core_ml_itself_matches_torch_on_macos(student, exported):
    runner = CoreML(CoreML.Options()).load(exported(student))
    assert runner.verified_by.startswith("Core ML")
    images = runner.render(student.cameras.poses, student.cameras.intrinsics)
    errors = (images - student.render(student.cameras)).square().mean((1, 2, 3))
    # The Neural Engine accumulates in its own way: less is asked of it than of the evaluator.
    assert -10 * errors.log10().min() > 50


def test_the_package_takes_a_pose_and_intrinsics_and_gives_an_image_all_float32(student, exported):
    description = Package.read(exported(student) / PACKAGE).model.description
    height, width = student.cameras.height, student.cameras.width
    shapes = {f.name: list(f.type.multiArrayType.shape) for f in [*description.input, *description.output]}
    assert shapes == {"pose": [1, 3, 4], "intrinsics": [1, 4], "image": [1, 3, height, width]}
    float32 = description.input[0].type.multiArrayType.FLOAT32
    assert {f.type.multiArrayType.dataType for f in [*description.input, *description.output]} == {float32}


def test_rays_and_encoding_are_fp32_and_the_network_is_fp16_in_the_saved_program(student, exported):
    package = Package.read(exported(student) / PACKAGE)
    assert element_types(package, "matmul", "sin", "cos", "real_div", "concat") == {MIL_pb2.FLOAT32}
    assert element_types(package, "conv", "conv_transpose", "gelu", "relu", "pixel_shuffle", "sigmoid") == {
        MIL_pb2.FLOAT16
    }
    casts = [op.outputs[0].type.tensorType.dataType for op in package.block.operations if op.type == "cast"]
    assert casts == [MIL_pb2.FLOAT16, MIL_pb2.FLOAT32]


def test_an_encoding_with_convolutions_of_its_own_stays_fp32_as_a_whole(box_student, tmp_path):
    class Learned(type(box_student.encoding)):
        def __init__(self):
            super().__init__(box_student.scene, in_box=False)
            self.mix = torch.nn.Conv2d(self.channels, self.channels, 1)

        def forward(self, origins, directions):
            return self.mix(super().forward(origins, directions))

    student = nfcore.LightField(
        Learned(),
        box_student.backbone,
        box_student.upsampler,
        scene=box_student.scene,
        cameras=box_student.cameras,
    )
    CoreML(CoreML.Options()).export(student, tmp_path)
    convolutions = [
        operation.outputs[0].type.tensorType.dataType
        for operation in Package.read(tmp_path / PACKAGE).block.operations
        if operation.type == "conv"
    ]
    assert convolutions == [MIL_pb2.FLOAT32] + [MIL_pb2.FLOAT16] * (len(convolutions) - 1)


def test_without_options_the_package_is_for_ios_16(box_student, exported):
    assert Package.read(exported(box_student) / PACKAGE).model.specificationVersion == 7


def test_batch_norms_are_folded(plain_student, exported):
    assert not any(
        operation.type == "batch_norm"
        for operation in Package.read(exported(plain_student) / PACKAGE).block.operations
    )


def test_the_package_says_what_its_numbers_mean(student, exported):
    description = Package.read(exported(student) / PACKAGE).model.description
    metadata = description.metadata.userDefined
    assert nfcore.Scene.model_validate_json(metadata["nfcore.scene.bounds"]) == student.scene
    assert (int(metadata["nfcore.height"]), int(metadata["nfcore.width"])) == (
        student.cameras.height,
        student.cameras.width,
    )
    assert int(metadata["nfcore.pixels_per_ray"]) == student.scale
    torch.testing.assert_close(torch.tensor(json.loads(metadata["nfcore.start_pose"])), student.cameras.poses[0])
    assert "OpenGL" in metadata["nfcore.axes"]
    assert all(feature.shortDescription for feature in [*description.input, *description.output])


@pytest.mark.parametrize(("target", "version"), [("iOS17", 8), ("iOS18", 9)])
def test_each_target_gives_its_specification_and_the_same_picture(box_student, tmp_path, psnr, target, version):
    CoreML(CoreML.Options(minimum_target=target)).export(box_student, tmp_path)
    assert Package.read(tmp_path / PACKAGE).model.specificationVersion == version
    assert psnr(box_student, tmp_path).min() > 70


def test_exported_again_it_has_the_same_bytes_and_leaves_no_traces(
    box_student, exported, tmp_path, monkeypatch, capfd
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("nfcore_coreml.conversion._programs", Conversions())  # converted again
    CoreML(CoreML.Options()).export(box_student, tmp_path / "again")
    first, second = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (exported(box_student), tmp_path / "again")
    )
    assert first == second
    assert len(first) == 3
    assert [entry.name for entry in (tmp_path / "again").iterdir()] == [PACKAGE]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_importing_the_exporter_says_nothing_on_stdout_or_stderr():
    command = [sys.executable, "-c", "import nfcore_coreml.exporter"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_coremltools_is_imported_without_what_compresses_torchs_modules():
    assert "coremltools.optimize.torch" not in sys.modules
    assert not hasattr(coremltools.optimize, "torch"), "who imports it later would get an empty package"


def test_quiet_is_undone_when_it_ends():
    init, filters = vars(tqdm.tqdm)["__init__"], list(logging.getLogger("coremltools").filters)
    with pytest.raises(ZeroDivisionError), quiet():
        assert vars(tqdm.tqdm)["__init__"] is not init
        raise ZeroDivisionError
    assert vars(tqdm.tqdm)["__init__"] is init
    assert logging.getLogger("coremltools").filters == filters


def test_quiet_lets_errors_through(caplog):
    logger = logging.getLogger("coremltools")
    with caplog.at_level(logging.DEBUG, "coremltools"), quiet():
        logger.warning("a warning")
        logger.error("an error")
    assert caplog.messages == ["an error"]


def test_a_macos_too_old_for_the_package_gets_the_evaluator(box_student, exported, monkeypatch):
    monkeypatch.setattr(platform, "mac_ver", lambda: ("12.7", ("", "", ""), "arm64"))
    assert "evaluator" in CoreML(CoreML.Options()).load(exported(box_student)).verified_by


def test_an_op_without_a_counterpart_in_core_ml_is_one_line_and_leaves_no_package(box_student, tmp_path):
    class Bessel(type(box_student.encoding)):
        def forward(self, origins, directions):
            return torch.special.bessel_j0(super().forward(origins, directions))

    student = nfcore.LightField(
        Bessel(box_student.scene, in_box=False),
        box_student.backbone,
        box_student.upsampler,
        scene=box_student.scene,
        cameras=box_student.cameras,
    )
    with pytest.raises(nfcore.NfcoreError, match=r"^coremltools can't convert .*bessel_j0") as caught:
        CoreML(CoreML.Options()).export(student, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_line(tmp_path):
    with pytest.raises(nfcore.UserError, match=r"light_field\.mlpackage: no such Core ML package"):
        CoreML(CoreML.Options()).load(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "backbone", "upsampler", "scale"),
    [
        (("points", {"span": "near-far"}), {"norm": "batch", "activation": "gelu"}, ("transposed-conv", {}), 8),
        (("points", {"span": "near-far"}), {"layer": "linear"}, ("transposed-conv", {"channels": [16, 8]}), 6),
        (("points", {"span": "box"}), {"norm": "none", "activation": "relu"}, ("pixel-shuffle", {}), 4),
    ],
    ids=["paper", "linear", "quickstart"],
)
def test_the_parts_of_mobiler2l_match_torch(
    encoding, backbone, upsampler, scale, box_student, tmp_path, psnr, assembled
):
    components = nfcore.plugins()
    try:
        components.load("encoding", "points")
    except nfcore.PluginError as error:
        pytest.skip(f"nfcore-mobiler2l is not usable here: {error}")
    rays = components.build("encoding", *encoding, box_student.scene)
    body = components.build("backbone", "residual-conv", {"depth": 6, "width": 24, **backbone}, rays.channels)
    tail = components.build("upsampler", *upsampler, body.channels, scale)
    student = assembled(rays, body, tail)
    CoreML(CoreML.Options()).export(student, tmp_path)
    assert psnr(student, tmp_path).min() > 70
