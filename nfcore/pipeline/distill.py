"""Distil: the student learns from views that the teacher renders."""

from __future__ import annotations

import torch

from nfcore.interfaces import RaySource, Teacher
from nfcore.light_field import LightField
from nfcore.pipeline.config import DistillConfig
from nfcore.pipeline.training import train
from nfcore.pipeline.views import PseudoViews
from nfcore.reporting import Reporter
from nfcore.states import seeded

# All pseudo views are there after this share of the steps: later ones would be seen too seldom to count. But no
# step waits for more than one: a shortened run would render views that it has no steps to learn from.
_RENDER_UNTIL, _MOST_PER_STEP = 0.4, 1.0
# Novel cameras through which an encoding may look at the scene.
_CAMERAS = 64


def distill(
    student: LightField,
    teacher: Teacher,
    source: RaySource,
    config: DistillConfig,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> None:
    """Train ``student`` on pseudo views of ``teacher`` at cameras that ``source`` draws, in place.

    MobileR2L, section 3.1; R2L (Wang et al. 2022), section 3.3. The encoding is prepared from the teacher first.
    """
    cameras = source.sample_cameras(_CAMERAS, seeded(seed + 2))
    student.encoding.prepare(teacher, source.scene, cameras)
    views = PseudoViews(
        teacher,
        source,
        count=config.views,
        first=min(config.first_views, config.views),
        per_step=min(_MOST_PER_STEP, config.views / max(1.0, _RENDER_UNTIL * config.steps)),
        memory=config.view_memory,
        seed=seed + 1,
    )
    with torch.no_grad():
        views.prepare(0)
    train(student, views, config, seed, reporter or Reporter())
