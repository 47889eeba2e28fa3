"""The stages from photos to exports, one file each, and the configuration that composes them by name."""

from nfcore.exports.reference import Reference
from nfcore.pipeline.distill import distill
from nfcore.pipeline.evaluate import evaluate
from nfcore.pipeline.export import ExportRejectedError, export
from nfcore.pipeline.finetune import finetune
from nfcore.pipeline.history import History, Record
from nfcore.pipeline.teach import teach
from nfcore.views.teacher_file import load_teacher, save_teacher

__all__ = [
    "ExportRejectedError",
    "History",
    "Record",
    "Reference",
    "distill",
    "evaluate",
    "export",
    "finetune",
    "load_teacher",
    "save_teacher",
    "teach",
]
