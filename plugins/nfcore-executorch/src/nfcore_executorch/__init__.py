"""The ExecuTorch exporter."""

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "executorch",
        "nfcore_executorch.exporter:ExecuTorch",
        summary="One .pte for ExecuTorch, lowered to XNNPACK: fp32 on the CPUs of phones",
        level=2,
    )
