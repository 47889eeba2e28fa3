"""Pipelines as data: their schema, recipes in layers, and the source of each setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.config.resolve import Choices as Choices
    from nfcore.config.resolve import Configured as Configured
    from nfcore.config.resolve import configure as configure
    from nfcore.config.resolve import configure_with_sources as configure_with_sources
    from nfcore.config.schema import Choice as Choice
    from nfcore.config.schema import DistillConfig as DistillConfig
    from nfcore.config.schema import ExportChoice as ExportChoice
    from nfcore.config.schema import FinetuneConfig as FinetuneConfig
    from nfcore.config.schema import PipelineConfig as PipelineConfig
    from nfcore.config.schema import StageConfig as StageConfig
    from nfcore.config.schema import StudentConfig as StudentConfig
    from nfcore.config.setting_sources import flat as flat
    from nfcore.options import parse as parse
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
