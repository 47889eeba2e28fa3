"""Distil: train the student on views that the teacher renders."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from nfcore.config.schema import DistillConfig
from nfcore.interfaces import Loss, RaySource, Teacher
from nfcore.interfaces.boundaries import calling, check_novel, check_source
from nfcore.interfaces.reporting import Reporter
from nfcore.io.tensors import seeded
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.pipeline.losses import build_loss
from nfcore.plugin.guard import guarded
from nfcore.runtime.devices import device_of
from nfcore.student.light_field import LightField
from nfcore.training.loop import train
from nfcore.views.crops import PhotoMixing
from nfcore.views.photo_split import split_photos
from nfcore.views.pseudo_views import PseudoViews
from nfcore.views.storage import allocate_views
from nfcore.views.teacher_views import check_teacher
from nfcore.views.training_views import COLOUR_BYTES, GEOMETRY_BYTES

# All pseudo views are rendered within this share of the steps: later ones would be used too rarely. Where new
# views replace old ones, rendering continues for almost all of the training. But no step waits for more than one
# view: a shortened run would render views that it has no steps to learn from.
_RENDER_UNTIL, _REPLACE_UNTIL, _MOST_PER_STEP = 0.4, 0.95, 1.0
# Novel cameras that an encoding may render the teacher at.
_CAMERAS = 64


def distill(
    student: LightField,
    teacher: Teacher,
    source: RaySource,
    config: DistillConfig,
    *,
    loss: Loss | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
    scratch: Path | None = None,
) -> History:
    """Train ``student`` on pseudo views of ``teacher`` at cameras that ``source`` draws, in place.

    MobileR2L, section 3.1; R2L (Wang et al. 2022), section 3.3. The encoding is prepared from the teacher first.
    Photos that ``config.photos`` mixes in are fine-tuning's training photos, never its validation images.

    Args:
        student: changed in place.
        teacher: fitted.
        source: the scene.
        config: how it is trained.
        loss: what is minimised; by default the installed one that ``config.loss`` names.
        seed: seed of all random numbers.
        reporter: receives the progress.
        scratch: folder for a temporary file of pseudo views, which ``config.view_disk`` allows; None for no file.

    Returns:
        The history: PSNR against the pseudo views (dB), loss and learning rate every few steps.

    Raises:
        ContractError: source, teacher or a part of the student breaks a rule.
        NfcoreError: there is no room for the views, the teacher renders nothing, or the loss diverges.

    """
    check_source(source)
    with calling(source, "sample_cameras"):
        cameras = source.sample_cameras(_CAMERAS, seeded(seed + 2))
    check_novel(source, cameras, _CAMERAS, source.views("train").cameras)
    check_teacher(teacher, cameras)
    with calling(student.encoding, "prepare"), guarded(filters=False, random=True):
        torch.manual_seed(seed)  # a run that was interrupted before has drawn other numbers
        student.encoding.prepare(teacher, source.scene, cameras)
    loss = loss or build_loss(config)
    pixel = GEOMETRY_BYTES if loss.uses_geometry else COLOUR_BYTES
    recorder = HistoryReporter(reporter)
    with closing(_pseudo_views(student, teacher, source, config, seed, scratch, recorder, pixel)) as views:
        views.prepare(0)
        photos = _photo_mixing(source, teacher, config, views.images.device) if config.photos else None
        if photos and loss.uses_geometry:
            photos = replace(photos, views=photos.views.with_geometry(teacher))
        train(student, views, loss, config, seed, recorder, photos)
    return recorder.history


def _photo_mixing(source: RaySource, teacher: Teacher, config: DistillConfig, device: torch.device) -> PhotoMixing:
    photos, _ = split_photos(source, device, teacher)
    return PhotoMixing(photos, config.photos, 1 - config.photos_from)


def _pseudo_views(
    student: LightField,
    teacher: Teacher,
    source: RaySource,
    config: DistillConfig,
    seed: int,
    scratch: Path | None,
    reporter: Reporter,
    bytes_per_pixel: int,
) -> PseudoViews:
    cameras = source.views("train").cameras
    images = allocate_views(
        config.views,
        cameras.height,
        cameras.width,
        bytes_per_pixel=bytes_per_pixel,
        memory=config.view_memory,
        disk=config.view_disk,
        folder=scratch,
        device=device_of(student),
    )
    whole = len(images) == config.views
    if not whole:
        reporter.note(
            f"distill: room for {len(images)} of {config.views} pseudo views: new ones replace the oldest"
        )
    steps = max(1.0, (_RENDER_UNTIL if whole else _REPLACE_UNTIL) * config.steps)
    return PseudoViews(
        teacher,
        source,
        images,
        count=config.views,
        first=min(config.first_views, config.views),
        per_step=min(_MOST_PER_STEP, config.views / steps),
        seed=seed + 1,
        workers=_workers(device_of(teacher)) if config.background else 0,
    )


def _workers(device: torch.device) -> int:
    """Return the number of rendering threads: those that training leaves free; one on a GPU."""
    return torch.get_num_threads() - 1 if device.type == "cpu" else 1
