"""What a person sees in the terminal: progress, tables, pictures."""

from nfcore.ui.console import Console

__all__ = ["Console"]
