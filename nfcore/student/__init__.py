"""The student: a light field, its file format, size and complexity."""

from nfcore.student.complexity import macs, parameters
from nfcore.student.light_field import build_student
from nfcore.student.resampling import render_at

__all__ = ["build_student", "macs", "parameters", "render_at"]
