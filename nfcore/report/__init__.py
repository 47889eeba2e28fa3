"""The report of a run as one HTML file: its contents and its page. ``nfcore.runs.write_report`` writes it."""

from nfcore.report.contents import Contents, ShownCommand
from nfcore.report.page import build_page

__all__ = ["Contents", "ShownCommand", "build_page"]
