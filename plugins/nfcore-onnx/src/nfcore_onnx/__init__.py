"""The ONNX exporter."""

import nfcore


@nfcore.hookimpl
def nfcore_components():
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "onnx",
        "nfcore_onnx.exporter:ONNX",
        summary="One graph, opset 20, fp32 or fp16, dynamic batch",
    )
