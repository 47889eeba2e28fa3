"""Training data of a student: photos, pseudo views that the teacher renders, and crops of both."""

from nfcore.views.teacher_views import render_view

__all__ = ["render_view"]
