"""Runs: a pipeline carried out in a folder, stage by stage, so that nothing is lost and nothing done twice."""

from nfcore.runs.folder import Run, Stage
from nfcore.runs.reporter import StageReporter
from nfcore.runs.scene import open_scene
from nfcore.runs.stages import Stages

__all__ = ["Run", "Stage", "StageReporter", "Stages", "open_scene"]
