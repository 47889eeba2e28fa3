"""The SnapML exporter."""

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "snapml",
        "nfcore_snapml.exporter:SnapML",
        summary="Sampler.onnx, Embedder.onnx and the network with SnapML's GELU, as Snap's lenses take them",
        level=2,
    )
