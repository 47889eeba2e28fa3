"""The terminal: progress and pictures."""

from nfcore.ui.console import Console

__all__ = ["Console"]
