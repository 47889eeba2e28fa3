"""Compressed weights: what the evaluator unpacks is what coremltools' own decompression gives."""

import pytest
import torch
from torch import nn

import nfcore
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.constants import constexpr_lut_to_dense
from nfcore_coreml.toolchain import coremltools, quiet

pytestmark = pytest.mark.slow

with quiet():
    import coremltools.optimize.coreml as compression

#: For each method: how to compress, the target from which that form is used, and the op that the weights become.
METHODS = {
    "int8 symmetric": (
        compression.linear_quantize_weights,
        compression.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0),
        "iOS16",
        "constexpr_affine_dequantize",
    ),
    "uint8 with zero points": (
        compression.linear_quantize_weights,
        compression.OpLinearQuantizerConfig(mode="linear", dtype="uint8", weight_threshold=0),
        "iOS16",
        "constexpr_affine_dequantize",
    ),
    "int8 per channel": (
        compression.linear_quantize_weights,
        compression.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0),
        "iOS18",
        "constexpr_blockwise_shift_scale",
    ),
    "int4 in blocks": (
        compression.linear_quantize_weights,
        compression.OpLinearQuantizerConfig(
            mode="linear", dtype="int4", granularity="per_block", block_size=8, weight_threshold=0
        ),
        "iOS18",
        "constexpr_blockwise_shift_scale",
    ),
    "2-bit palette": (
        compression.palettize_weights,
        compression.OpPalettizerConfig(mode="uniform", nbits=2, weight_threshold=0),
        "iOS16",
        "constexpr_lut_to_dense",
    ),
    "6-bit palette": (
        compression.palettize_weights,
        compression.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=0),
        "iOS16",
        "constexpr_lut_to_dense",
    ),
    "3-bit palettes by group": (
        compression.palettize_weights,
        compression.OpPalettizerConfig(
            mode="uniform", nbits=3, granularity="per_grouped_channel", group_size=8, weight_threshold=0
        ),
        "iOS18",
        "constexpr_lut_to_dense",
    ),
    **{
        f"{bits}-bit palette in its own shape": (
            compression.palettize_weights,
            compression.OpPalettizerConfig(mode="uniform", nbits=bits, weight_threshold=0),
            "iOS18",
            "constexpr_lut_to_dense",
        )
        for bits in (1, 4, 6)
    },
    "sparse": (
        compression.prune_weights,
        compression.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0),
        "iOS16",
        "constexpr_sparse_to_dense",
    ),
    "sparse with a bit mask": (
        compression.prune_weights,
        compression.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0),
        "iOS18",
        "constexpr_sparse_to_dense",
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_unpacked_weights_are_those_of_coremltools(method, tmp_path):
    compress, config, target, op = METHODS[method]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(32, 24, 3), nn.Conv2d(24, 16, 1)).eval().half()
    with quiet(), torch.no_grad():
        graph = torch.export.export(module, (torch.zeros(1, 32, 6, 6).half(),)).run_decompositions({})
        model = coremltools.convert(
            graph,
            convert_to="mlprogram",
            compute_precision=coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target[target],
            skip_model_load=True,
        )
        compressed = compress(model, compression.OptimizationConfig(global_config=config))
        compressed.save(str(tmp_path / "compressed.mlpackage"))
        compression.decompress_weights(compressed).save(str(tmp_path / "decompressed.mlpackage"))
    package = Package.read(tmp_path / "compressed.mlpackage")
    assert op in {operation.type for operation in package.block.operations}
    plain = Package.read(tmp_path / "decompressed.mlpackage")
    assert not any(operation.type.startswith("constexpr") for operation in plain.block.operations)

    unpacked, expected = Program(package), Program(plain)
    (name,) = unpacked.inputs
    features = torch.randn(1, 32, 6, 6)
    (result,), (wanted,) = unpacked(**{name: features}).values(), expected(**{name: features}).values()
    assert torch.equal(result, wanted)


def test_palettes_of_vectors_are_refused():
    with pytest.raises(NotImplementedError, match="2-vectors"):
        constexpr_lut_to_dense(torch.zeros(4, 4, dtype=torch.int64), torch.zeros(1, 1, 2, 2))


def test_an_unknown_way_of_compression_is_refused_by_name(box_student, exported, tmp_path):
    package = Package.read(exported(box_student) / "light_field.mlpackage")
    const = next(operation for operation in package.block.operations if operation.type == "const")
    const.type = "constexpr_from_the_future"
    with pytest.raises(nfcore.UserError, match="can't run the op 'constexpr_from_the_future'"):
        Program(package)
