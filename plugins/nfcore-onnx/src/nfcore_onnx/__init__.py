"""The ONNX exporter."""

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "onnx",
        "nfcore_onnx.exporter:ONNX",
        summary="From camera or rays to image, fp32, fp16, int8 weights or W8A8, dynamic batch",
        level=2,
    )
