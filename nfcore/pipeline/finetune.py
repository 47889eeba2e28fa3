"""Fine-tune: the distilled student is trained on the photos themselves."""

from __future__ import annotations

from nfcore.interfaces import RaySource
from nfcore.light_field import LightField
from nfcore.pipeline.config import TrainingConfig
from nfcore.pipeline.training import train
from nfcore.pipeline.views import TrainingViews
from nfcore.reporting import Reporter


def finetune(
    student: LightField,
    source: RaySource,
    config: TrainingConfig,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> None:
    """Train ``student`` on the training photos of ``source``, in place. R2L (Wang et al. 2022), section 3.3."""
    train(student, TrainingViews.of_photos(source.views("train")), config, seed, reporter or Reporter())
