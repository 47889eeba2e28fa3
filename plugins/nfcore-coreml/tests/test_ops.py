"""Every op of the evaluator, in a program that coremltools builds and saves, against torch on random input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.ops import OPS
from nfcore_coreml.toolchain import coremltools, quiet

with quiet():
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its name everywhere in coremltools

SHAPE = (2, 8, 4, 6)

WEIGHT = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(2))
BIAS = torch.randn(8, generator=torch.Generator().manual_seed(3))
MATRIX = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))

#: For each case the op, how coremltools' builder makes it, and what it is in torch. ``x`` and ``y`` are normal.
CASES: dict[str, tuple[str, Callable[..., Any], Callable[[Tensor, Tensor], Tensor]]] = {
    "abs": ("abs", lambda x, y: mb.abs(x=x), lambda x, y: x.abs()),
    "add": ("add", lambda x, y: mb.add(x=x, y=y), lambda x, y: x + y),
    "batch_norm": (
        "batch_norm",
        lambda x, y: mb.batch_norm(
            x=x,
            mean=BIAS.numpy(),
            variance=BIAS.abs().numpy(),
            gamma=BIAS.numpy(),
            beta=BIAS.numpy(),
            epsilon=1e-3,
        ),
        lambda x, y: F.batch_norm(x, BIAS, BIAS.abs(), BIAS, BIAS, eps=1e-3),
    ),
    "cast to int": (
        "cast",
        lambda x, y: mb.cast(x=mb.cast(x=x, dtype="int32"), dtype="fp32"),
        lambda x, y: x.trunc(),
    ),
    "cast to fp16": (
        "cast",
        lambda x, y: mb.cast(x=mb.cast(x=x, dtype="fp16"), dtype="fp32"),
        lambda x, y: x.half().float(),
    ),
    "clip": ("clip", lambda x, y: mb.clip(x=x, alpha=-0.5, beta=0.7), lambda x, y: x.clamp(-0.5, 0.7)),
    "concat": ("concat", lambda x, y: mb.concat(values=[x, y, x], axis=-3), lambda x, y: torch.cat([x, y, x], 1)),
    "conv": (
        "conv",
        lambda x, y: mb.conv(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS.numpy(),
            strides=[1, 2],
            dilations=[1, 2],
            groups=2,
            pad_type="custom",
            pad=[1, 1, 2, 2],
        ),
        lambda x, y: F.conv2d(x, WEIGHT, BIAS, (1, 2), (1, 2), (1, 2), 2),
    ),
    "conv without options": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1).numpy()),
        lambda x, y: F.conv2d(x, WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1)),
    ),
    "conv padded unevenly": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT.numpy(), groups=2, pad_type="custom", pad=[0, 2, 1, 0]),
        lambda x, y: F.conv2d(F.pad(x, (1, 0, 0, 2)), WEIGHT, groups=2),
    ),
    "conv along one axis": (
        "conv",
        lambda x, y: mb.conv(
            x=mb.squeeze(x=mb.slice_by_size(x=x, begin=[0] * 4, size=[2, 8, 1, 6]), axes=[2]),
            weight=WEIGHT[:, :, 0].repeat(1, 2, 1).numpy(),
        ),
        lambda x, y: F.conv1d(x[:, :, 0], WEIGHT[:, :, 0].repeat(1, 2, 1)),
    ),
    "conv_transpose": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x, weight=WEIGHT.numpy(), bias=BIAS[:4].numpy(), strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 2, 1),
    ),
    "conv_transpose with an output shape": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS[:4].numpy(),
            strides=[3, 3],
            pad_type="custom",
            pad=[0, 0, 0, 0],
            output_shape=[2, 4, 14, 20],
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 3, 0, output_padding=2),
    ),
    "conv_transpose without options": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(x=x, weight=WEIGHT.numpy()),
        lambda x, y: F.conv_transpose2d(x, WEIGHT),
    ),
    "cos": ("cos", lambda x, y: mb.cos(x=x), lambda x, y: x.cos()),
    "cumsum": ("cumsum", lambda x, y: mb.cumsum(x=x, axis=2), lambda x, y: x.cumsum(2)),
    "cumsum, exclusive": (
        "cumsum",
        lambda x, y: mb.cumsum(x=x, axis=1, exclusive=True),
        lambda x, y: F.pad(x.cumsum(1), (0, 0, 0, 0, 1, 0))[:, :-1],
    ),
    "cumsum, reverse": (
        "cumsum",
        lambda x, y: mb.cumsum(x=x, axis=3, reverse=True),
        lambda x, y: x.sum(3, keepdim=True) - x.cumsum(3) + x,
    ),
    "equal": (
        "equal",
        lambda x, y: mb.equal(x=mb.floor(x=x), y=mb.floor(x=y)),
        lambda x, y: x.floor() == y.floor(),
    ),
    "exp": ("exp", lambda x, y: mb.exp(x=x), lambda x, y: x.exp()),
    "expand_dims": (
        "expand_dims",
        lambda x, y: mb.expand_dims(x=mb.reduce_sum(x=x, axes=[0], keep_dims=False), axes=[-1, 1]),
        lambda x, y: x.sum(0)[:, None, :, :, None],
    ),
    "fill": (
        "fill",
        lambda x, y: mb.add(x=x, y=mb.fill(shape=SHAPE, value=1.5)),
        lambda x, y: x + 1.5,
    ),
    "fill_like": (
        "fill_like",
        lambda x, y: mb.fill_like(ref_tensor=x, value=-1.0),
        lambda x, y: -torch.ones_like(x),
    ),
    "floor": ("floor", lambda x, y: mb.floor(x=x), lambda x, y: x.floor()),
    "floor_div": ("floor_div", lambda x, y: mb.floor_div(x=x, y=y), lambda x, y: (x / y).floor()),
    "gather": (
        "gather",
        lambda x, y: mb.gather(x=x, indices=[[3, 0], [-1, 3]], axis=-2),
        lambda x, y: torch.stack([x[:, :, [3, 0]], x[:, :, [3, 3]]], 2),
    ),
    "gelu": ("gelu", lambda x, y: mb.gelu(x=x), lambda x, y: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
    "gelu, tanh": (
        "gelu",
        lambda x, y: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda x, y: x * 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
    ),
    "gelu, sigmoid": (
        "gelu",
        lambda x, y: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x, y: x / (1 + torch.exp(-1.702 * x)),
    ),
    "greater": ("greater", lambda x, y: mb.greater(x=x, y=y), lambda x, y: x > y),
    "greater_equal": ("greater_equal", lambda x, y: mb.greater_equal(x=x, y=y), lambda x, y: x >= y),
    "identity": ("identity", lambda x, y: mb.identity(x=x), lambda x, y: x),
    "inverse": ("inverse", lambda x, y: mb.inverse(x=mb.abs(x=x), epsilon=0.5), lambda x, y: 1 / (x.abs() + 0.5)),
    "leaky_relu": ("leaky_relu", lambda x, y: mb.leaky_relu(x=x, alpha=0.3), lambda x, y: F.leaky_relu(x, 0.3)),
    "less": ("less", lambda x, y: mb.less(x=x, y=y), lambda x, y: x < y),
    "less_equal": ("less_equal", lambda x, y: mb.less_equal(x=x, y=y), lambda x, y: x <= y),
    "linear": (
        "linear",
        lambda x, y: mb.linear(x=x, weight=MATRIX.numpy(), bias=BIAS[:5].numpy()),
        lambda x, y: torch.einsum("bchw,dw->bchd", x, MATRIX) + BIAS[:5],
    ),
    "log": ("log", lambda x, y: mb.log(x=mb.square(x=x), epsilon=0.25), lambda x, y: torch.log(x**2 + 0.25)),
    "logical_and": (
        "logical_and",
        lambda x, y: mb.logical_and(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0)),
        lambda x, y: torch.minimum(x, y) > 0,
    ),
    "logical_not": (
        "logical_not",
        lambda x, y: mb.logical_not(x=mb.greater(x=x, y=0.0)),
        lambda x, y: x <= 0,
    ),
    "logical_or": (
        "logical_or",
        lambda x, y: mb.logical_or(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0)),
        lambda x, y: torch.maximum(x, y) > 0,
    ),
    "matmul": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_y=True),
        lambda x, y: torch.einsum("bcik,bcjk->bcij", x, y),
    ),
    "matmul, first transposed": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True),
        lambda x, y: torch.einsum("bcki,bckj->bcij", x, y),
    ),
    "maximum": ("maximum", lambda x, y: mb.maximum(x=x, y=y), lambda x, y: torch.where(x > y, x, y)),
    "minimum": ("minimum", lambda x, y: mb.minimum(x=x, y=0.25), lambda x, y: x.clamp(max=0.25)),
    "mul": ("mul", lambda x, y: mb.mul(x=x, y=y), lambda x, y: x * y),
    "not_equal": (
        "not_equal",
        lambda x, y: mb.not_equal(x=mb.floor(x=x), y=mb.floor(x=y)),
        lambda x, y: x.floor() != y.floor(),
    ),
    "pad": (
        "pad",
        lambda x, y: mb.pad(x=x, pad=[1, 0, 0, 2], constant_val=0.5),
        lambda x, y: F.pad(x, (0, 2, 1, 0), value=0.5),
    ),
    "pixel_shuffle": (
        "pixel_shuffle",
        lambda x, y: mb.pixel_shuffle(x=x, upscale_factor=2),
        lambda x, y: x.reshape(2, 2, 2, 2, 4, 6).permute(0, 1, 4, 2, 5, 3).reshape(2, 2, 8, 12),
    ),
    "pow": ("pow", lambda x, y: mb.pow(x=mb.abs(x=x), y=1.5), lambda x, y: x.abs() ** 1.5),
    "real_div": ("real_div", lambda x, y: mb.real_div(x=x, y=y), lambda x, y: x / y),
    "reduce_l2_norm": (
        "reduce_l2_norm",
        lambda x, y: mb.reduce_l2_norm(x=x, axes=[1], keep_dims=True),
        lambda x, y: x.square().sum(1, keepdim=True).sqrt(),
    ),
    "reduce_max": (
        "reduce_max",
        lambda x, y: mb.reduce_max(x=x, axes=[1, -1], keep_dims=True),
        lambda x, y: x.amax((1, 3), keepdim=True),
    ),
    "reduce_mean": ("reduce_mean", lambda x, y: mb.reduce_mean(x=x, axes=[2]), lambda x, y: x.mean(2)),
    "reduce_min": ("reduce_min", lambda x, y: mb.reduce_min(x=x, axes=[1]), lambda x, y: x.amin(1)),
    "reduce_sum": ("reduce_sum", lambda x, y: mb.reduce_sum(x=x, axes=[0, 3]), lambda x, y: x.sum((0, 3))),
    "relu": ("relu", lambda x, y: mb.relu(x=x), lambda x, y: x.clamp(min=0)),
    "resample": (
        "resample",
        lambda x, y: mb.resample(
            x=x,
            coordinates=mb.transpose(x=mb.slice_by_size(x=y, begin=[0] * 4, size=[2, 2, 4, 6]), perm=[0, 2, 3, 1]),
            sampling_mode="bilinear",
            padding_mode="border",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        lambda x, y: bilinear(x, *y[:, :2].unbind(1)),
    ),
    "reshape": ("reshape", lambda x, y: mb.reshape(x=x, shape=[4, -1, 12]), lambda x, y: x.reshape(4, 8, 12)),
    "rsqrt": ("rsqrt", lambda x, y: mb.rsqrt(x=mb.abs(x=x), epsilon=0.1), lambda x, y: (x.abs() + 0.1) ** -0.5),
    "select": (
        "select",
        lambda x, y: mb.select(cond=mb.greater(x=x, y=y), a=x, b=y),
        lambda x, y: torch.maximum(x, y),
    ),
    "sigmoid": ("sigmoid", lambda x, y: mb.sigmoid(x=x), lambda x, y: 1 / (1 + torch.exp(-x))),
    "silu": ("silu", lambda x, y: mb.silu(x=x), lambda x, y: x / (1 + torch.exp(-x))),
    "sin": ("sin", lambda x, y: mb.sin(x=x), lambda x, y: x.sin()),
    "slice_by_index": (
        "slice_by_index",
        lambda x, y: mb.slice_by_index(
            x=x,
            begin=[0, 1, 0, -5],
            end=[1, 7, 3, -1],
            stride=[1, 2, 1, 3],
            begin_mask=[False, False, True, False],
            end_mask=[True, False, False, True],
        ),
        lambda x, y: x[:, 1:7:2, :3, -5::3],
    ),
    "slice_by_index, one entry": (
        "slice_by_index",
        lambda x, y: mb.slice_by_index(
            x=x, begin=[0, 3, 0, 0], end=[2, 4, 4, 6], squeeze_mask=[False, True, False, False]
        ),
        lambda x, y: x[:, 3],
    ),
    "slice_by_size": (
        "slice_by_size",
        lambda x, y: mb.slice_by_size(x=x, begin=[0, 2, 1, 0], size=[2, 3, 2, -1]),
        lambda x, y: x[:, 2:5, 1:3],
    ),
    "softmax": (
        "softmax",
        lambda x, y: mb.softmax(x=x, axis=1),
        lambda x, y: x.exp() / x.exp().sum(1, keepdim=True),
    ),
    "softplus": ("softplus", lambda x, y: mb.softplus(x=x), lambda x, y: torch.log1p(x.exp())),
    "split": (
        "split",
        lambda x, y: mb.concat(values=mb.split(x=x, num_splits=2, axis=1)[::-1], axis=1),
        lambda x, y: torch.cat([x[:, 4:], x[:, :4]], 1),
    ),
    "split into sizes": (
        "split",
        lambda x, y: mb.concat(values=mb.split(x=x, split_sizes=[1, 3, 2], axis=3)[::-1], axis=3),
        lambda x, y: torch.cat([x[..., 4:], x[..., 1:4], x[..., :1]], 3),
    ),
    "sqrt": ("sqrt", lambda x, y: mb.sqrt(x=mb.abs(x=x)), lambda x, y: x.abs() ** 0.5),
    "square": ("square", lambda x, y: mb.square(x=x), lambda x, y: x * x),
    "squeeze": (
        "squeeze",
        lambda x, y: mb.squeeze(x=mb.reduce_sum(x=x, axes=[0, 2], keep_dims=True), axes=[0, -2]),
        lambda x, y: x.sum((0, 2)),
    ),
    "stack": ("stack", lambda x, y: mb.stack(values=[x, y], axis=2), lambda x, y: torch.stack([x, y], 2)),
    "sub": ("sub", lambda x, y: mb.sub(x=x, y=y), lambda x, y: x - y),
    "tanh": ("tanh", lambda x, y: mb.tanh(x=x), lambda x, y: 1 - 2 / (torch.exp(2 * x) + 1)),
    "tile": ("tile", lambda x, y: mb.tile(x=x, reps=[1, 2, 1, 3]), lambda x, y: x.repeat(1, 2, 1, 3)),
    "transpose": (
        "transpose",
        lambda x, y: mb.transpose(x=x, perm=[0, 2, -1, 1]),
        lambda x, y: x.permute(0, 2, 3, 1),
    ),
}


def bilinear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Weigh the four texels around each place (b, h, w) in [-1, 1]; places beyond are moved to the border."""
    height, width = image.shape[2:]
    column, row = ((x.clamp(-1, 1) + 1) / 2 * (width - 1)), ((y.clamp(-1, 1) + 1) / 2 * (height - 1))
    total = torch.zeros(())
    batch = torch.arange(len(image))[:, None, None]
    for i in (0, 1):
        for j in (0, 1):
            at_row, at_column = row.floor() + i, column.floor() + j
            weight = (1 - (row - at_row).abs()) * (1 - (column - at_column).abs())
            texel = image[batch, :, at_row.long().clamp(max=height - 1), at_column.long().clamp(max=width - 1)]
            total = total + weight[:, None] * texel.permute(0, 3, 1, 2)
    return total


def test_every_op_of_the_table_has_a_case():
    assert {op for op, _, _ in CASES.values()} == set(OPS)


@pytest.mark.parametrize("case", CASES)
def test_an_op_agrees_with_torch(case, tmp_path):
    op, build, expected = CASES[case]
    x, y = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    program = saved_program(build, tmp_path)
    assert op in {operation.type for operation in program.block.operations}
    (result,) = Program(program)(x=x, y=y).values()
    torch.testing.assert_close(result, expected(x, y).to(result.dtype), rtol=2e-6, atol=2e-6)


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
        (lambda x, y: mb.pad(x=x, pad=[1, 1], mode="reflect"), "'reflect'"),
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
    ids=["slice", "pad", "conv", "concat", "resample"],
)
def test_a_form_of_an_op_that_is_not_covered_is_refused(build, reason, tmp_path):
    program = Program(saved_program(build, tmp_path))
    with pytest.raises(Exception, match=f"can't run the op .*{reason}"):
        program(x=torch.zeros(SHAPE), y=torch.zeros(SHAPE))


def saved_program(build: Callable[..., Any], folder) -> Package:
    """Save a program of two fp32 inputs as coremltools builds it, and read it back."""
    specification = [mb.TensorSpec(shape=SHAPE), mb.TensorSpec(shape=SHAPE)]
    with quiet():
        # A bool can't be an output: it leaves as a float.
        @mb.program(input_specs=specification, opset_version=coremltools.target.iOS16)
        def program(x, y):
            result = build(x, y)
            return mb.cast(x=result, dtype="fp32") if result.dtype.__name__ == "bool" else result

        coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=coremltools.target.iOS16,
            compute_precision=coremltools.precision.FLOAT32,
            pass_pipeline=coremltools.PassPipeline.EMPTY,
            skip_model_load=True,
            package_dir=str(folder / "op.mlpackage"),
        )
    return Package.read(folder / "op.mlpackage")
