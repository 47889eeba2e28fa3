"""Runs: a pipeline executed in a folder, stage by stage; it can be interrupted and resumed at any time."""

from nfcore.config.stages import Stage
from nfcore.runs.artifacts import Artifacts
from nfcore.runs.artifacts import open_run as open
from nfcore.runs.execution import execute
from nfcore.runs.folder import Run
from nfcore.runs.metrics_log import Report, read_reports
from nfcore.runs.model_file import ModelFile
from nfcore.runs.newest_model import NewestModel
from nfcore.runs.provenance import command_line
from nfcore.runs.report import write_report
from nfcore.runs.reporter import StageReporter
from nfcore.runs.results import read_summary
from nfcore.runs.scene import open_scene
from nfcore.runs.scheduler import Scheduler

__all__ = [
    "Artifacts",
    "ModelFile",
    "NewestModel",
    "Report",
    "Run",
    "Scheduler",
    "Stage",
    "StageReporter",
    "command_line",
    "execute",
    "open",
    "open_scene",
    "read_reports",
    "read_summary",
    "write_report",
]
