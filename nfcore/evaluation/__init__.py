"""Image quality: metrics, error maps, published tables, comparisons of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.evaluation.metrics import lpips as lpips
    from nfcore.evaluation.metrics import psnr as psnr
    from nfcore.evaluation.metrics import ssim as ssim
    from nfcore.evaluation.scores import Evaluation as Evaluation
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
