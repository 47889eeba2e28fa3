"""The report of a run: all that there is to know of it as one HTML file that needs nothing else."""

from nfcore.report.contents import Contents, gather
from nfcore.report.page import build_page
from nfcore.report.writing import write_report

__all__ = ["Contents", "build_page", "gather", "write_report"]
