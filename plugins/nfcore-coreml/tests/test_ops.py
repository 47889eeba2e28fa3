"""Every op of the evaluator, in a program that coremltools builds and saves, against torch on random input."""

from collections.abc import Callable
from typing import Any

import op_cases_elementwise
import op_cases_layers
import op_cases_shapes
import pytest
import torch
from op_inputs import SHAPE, WEIGHT, mb
from torch import Tensor

from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.ops import OPS
from nfcore_coreml.toolchain import MIL_pb2, coremltools, quiet

pytestmark = pytest.mark.slow

CASES = op_cases_elementwise.CASES | op_cases_shapes.CASES | op_cases_layers.CASES

#: The passes with which coremltools makes a program fp16.
HALVING = ["common::add_fp16_cast", "common::cast_optimization", "common::const_elimination"]

#: Ops whose results are no floats.
WHOLE_NUMBERS = {"reduce_argmax", "reduce_argmin", "shape"}


def test_every_op_of_the_table_has_a_case():
    assert {op for op, _, _ in CASES.values()} == set(OPS)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def results(request, tmp_path_factory) -> tuple[str, Package, Tensor, Tensor, dict[str, Tensor]]:
    """All cases in one program of a precision: its name, the package, the inputs, and what each case gives."""

    def every_case(x, y):
        return {case: build(x, y) for case, (_, build, _) in CASES.items()}

    folder = tmp_path_factory.mktemp(request.param)
    package = saved_program(every_case, folder, half=request.param == "fp16")
    x, y = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    outputs = Program(package)(x=x, y=y)
    return request.param, package, x, y, {case: outputs[output_name(case)] for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_an_op_agrees_with_torch_in_fp32_and_in_fp16(case, results):
    precision, package, x, y, found = results
    op, _, expected = CASES[case]
    operations = [operation for operation in package.block.operations if operation.type == op]
    # coremltools may fold what hangs on constants alone.
    assert operations or (precision, op) in {("fp16", "fill"), ("fp16", "shape")}
    if precision == "fp32":
        wanted = expected(x, y)
        torch.testing.assert_close(found[case], wanted.to(found[case].dtype), rtol=2e-6, atol=2e-6)
        return
    if op not in WHOLE_NUMBERS:
        types = {operation.outputs[0].type.tensorType.dataType for operation in operations}
        assert types <= {MIL_pb2.FLOAT16, MIL_pb2.BOOL} or op == "cast"
    wanted = expected(x.half().float(), y.half().float())
    # A case of several ops rounds several times, each by 2**-11 at most of what it has; sums have up to 30 terms.
    torch.testing.assert_close(found[case], wanted.to(found[case].dtype), rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("op", ["sin", "mul", "softmax"])
def test_fp16_results_are_rounded_after_every_op(op, tmp_path):
    build = {
        "sin": lambda x: mb.sin(x=mb.sin(x=x)),
        "mul": lambda x: mb.mul(x=mb.mul(x=x, y=x), y=x),
        "softmax": lambda x: mb.softmax(x=mb.softmax(x=x, axis=1), axis=1),
    }[op]
    program = saved_program(lambda x, y: mb.cast(x=build(mb.cast(x=x, dtype="fp16")), dtype="fp32"), tmp_path)
    x, y = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    half = x.half().float()
    once = {"sin": torch.sin, "mul": lambda v: v * half, "softmax": lambda v: v.softmax(1)}[op]
    (result,) = Program(program)(x=x, y=y).values()
    expected = once(once(half).half().float()).half().float()
    assert torch.equal(result, expected)
    assert not torch.equal(result, once(once(half)).half().float())


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x, y: mb.slice_by_index(x=x, begin=[1, 7, 3, 5], end=[0, 0, 0, 0], stride=[-1] * 4), "negative"),
        (lambda x, y: mb.avg_pool(x=x, kernel_sizes=[2, 2], pad_type="custom", pad=[0, 1, 0, 0]), "unevenly"),
        (lambda x, y: mb.upsample_nearest_neighbor(x=x, scale_factor_height=1.5), "factor 1.5"),
        (lambda x, y: mb.resize_bilinear(x=x, target_size_height=8, target_size_width=6), "'DEFAULT'"),
        (
            lambda x, y: mb.upsample_bilinear(
                x=x, scale_factor_height=2, align_corners=False, half_pixel_centers=False
            ),
            "both unaligned",
        ),
        (lambda x, y: mb.conv(x=x, weight=WEIGHT.numpy(), groups=2, pad_type="same"), "'same'"),
        (lambda x, y: mb.concat(values=[x, y], axis=1, interleave=True), "interleaving"),
        (
            lambda x, y: mb.resample(
                x=x,
                coordinates=mb.slice_by_size(x=y, begin=[0] * 4, size=[2, 8, 4, 2]),
                sampling_mode="bilinear",
                padding_mode="constant",
                padding_value=1.0,
                coordinates_mode="normalized_minus_one_to_one",
                align_corners=True,
            ),
            "'constant' with 1",
        ),
    ],
    ids=["slice", "pool", "nearest", "resize", "bilinear", "conv", "concat", "resample"],
)
def test_a_form_of_an_op_that_is_not_covered_is_refused(build, reason, tmp_path):
    program = Program(saved_program(build, tmp_path))
    with pytest.raises(Exception, match=f"can't run the op .*{reason}"):
        program(x=torch.zeros(SHAPE), y=torch.zeros(SHAPE))


def saved_program(build: Callable[..., Any], folder, *, half: bool = False) -> Package:
    """Save a program of two fp32 inputs as coremltools builds it, and read it back.

    ``build`` gives one result, or several by name. ``half`` lets coremltools turn every op that it can
    into fp16, as a conversion at that precision does.
    """
    specification = [mb.TensorSpec(shape=SHAPE), mb.TensorSpec(shape=SHAPE)]
    pipeline = coremltools.PassPipeline(HALVING if half else [], "test")

    def output(result, name=None):
        # A bool can't be an output: it leaves as a float.
        if result.dtype.__name__ == "bool":
            result = mb.cast(x=result, dtype="fp32")
        return result if name is None else mb.identity(x=result, name=output_name(name))

    with quiet():

        @mb.program(input_specs=specification, opset_version=coremltools.target.iOS16)
        def program(x, y):
            results = build(x, y)
            if not isinstance(results, dict):
                return output(results)
            return tuple(output(result, name) for name, result in results.items())

        coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=coremltools.target.iOS16,
            compute_precision=coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32,
            pass_pipeline=pipeline,
            skip_model_load=True,
            package_dir=str(folder / "op.mlpackage"),
        )
    return Package.read(folder / "op.mlpackage")


def output_name(case: str) -> str:
    return "case_" + "".join(letter if letter.isalnum() else "_" for letter in case)
