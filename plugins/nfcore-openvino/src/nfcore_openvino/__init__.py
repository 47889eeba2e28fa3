"""The OpenVINO exporter."""

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "openvino",
        "nfcore_openvino.exporter:OpenVINO",
        summary="OpenVINO IR with fp32, fp16 or int8 weights; quick on CPUs",
        level=2,
    )
