"""The Core ML exporter."""

import nfcore


@nfcore.hookimpl
def nfcore_components():
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "coreml",
        "nfcore_coreml.exporter:CoreML",
        summary="fp16 ML Program for iOS 16 and later, ray arithmetic in fp32",
    )
