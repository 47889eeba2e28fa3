"""The deployed model, the reference for exports and baked fields, parity with torch, manifest and model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.exports.baked_rendering import BakedRenderer as BakedRenderer
    from nfcore.exports.conversions import Conversions as Conversions
    from nfcore.exports.manifest import Manifest as Manifest
    from nfcore.exports.manifest import manifests as manifests
    from nfcore.exports.torch_onnx import onnx_graph as onnx_graph
    from nfcore.exports.torch_onnx import strip_notes as strip_notes
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
