"""Checks of what components return, where it reaches the core: an error names component, version and rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from nfcore.errors import NfcoreError, PluginError, TrialOver
from nfcore.interfaces.backbone import Backbone
from nfcore.interfaces.encoding import RayEncoding
from nfcore.interfaces.exported import Exported
from nfcore.interfaces.exporter import Exporter, Runner, VerificationUnavailable
from nfcore.interfaces.loss import Loss
from nfcore.interfaces.ray_source import RaySource, Split, Views
from nfcore.interfaces.rules import RULES
from nfcore.interfaces.teacher import Rendering, Teacher
from nfcore.interfaces.upsampler import Upsampler
from nfcore.plugin.identity import named
from nfcore.plugin.isolation import is_users, reason
from nfcore.plugin.tracebacks import frames_of
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

# Colours may leave [0, 1] by the rounding of half precision.
_ROUNDING = 1e-3
# Passed on as they are, since the component is not at fault: user errors, a full disk, too little memory.
_NOT_ITS_FAULT = (NfcoreError, OSError, MemoryError, torch.OutOfMemoryError, VerificationUnavailable)


class ContractError(PluginError):
    """A component broke a rule of its contract.

    Args:
        component: the component at fault.
        rule: the rule's id, see ``RULES``.
        found: what was found instead.

    """

    def __init__(self, component: object, rule: str, found: str) -> None:
        self.component = component
        self.rule = rule
        self.found = found
        super().__init__(f"{named(component)} breaks {rule} ({RULES[rule]}): {found}")


@contextmanager
def calling(component: object, what: str) -> Iterator[None]:
    """Turn what ``component`` raises in ``what`` into an error that names it and the line of its code.

    Raises:
        PluginError: instead of what the component raised.

    """
    try:
        yield
    except (*_NOT_ITS_FAULT, TrialOver, GeneratorExit):
        raise
    except BaseException as error:  # also SystemExit, which would end the run without a word
        if is_users(error):
            raise
        raise PluginError(
            f"{named(component)} failed in {what}: {reason(error)}{_line(component, error)}"
        ) from error


def _line(component: object, error: BaseException) -> str:
    """Return the innermost line of the component's own package that ``error`` came through, if any."""
    package = type(component).__module__.partition(".")[0]
    own = [f"{Path(code.co_filename).name}:{line}" for name, code, line in frames_of(error) if name == package]
    return f" ({own[-1]})" if own else ""


# -- ray sources -------------------------------------------------------------------------------------------


def check_source(source: RaySource) -> None:
    """Check the scene and the photos of all splits; a source that has passed is not checked again."""
    if getattr(source, _CHECKED, False):
        return
    with calling(source, "scene"):
        scene = source.scene
    if not isinstance(scene, Scene):
        raise ContractError(source, "ray_source.scene", f"scene is {_kind_of(scene)}")
    for split, least in zip(get_args(Split), (2, 0, 1), strict=True):
        with calling(source, f"views({split!r})"):
            views = source.views(split)
        check_views(source, views, split)
        if len(views) < least:
            raise ContractError(source, "ray_source.splits", f"{len(views)} views in {split}")
    with_attribute = getattr(source, "__dict__", None)
    if with_attribute is not None:
        with_attribute[_CHECKED] = True


_CHECKED = "_nfcore_checked"


def check_views(source: RaySource, views: object, split: str) -> None:
    """Check the photos of one split: ``ray_source.*``."""
    if not isinstance(views, Views):
        raise ContractError(source, "ray_source.views", f"{split} is {_kind_of(views)}")
    check_cameras(source, "ray_source.cameras-finite", views.cameras, split)
    cameras, n = views.cameras, len(views.cameras)
    names = list(views.names)
    if len(names) != n or len(set(names)) != n or not all(isinstance(name, str) for name in names):
        raise ContractError(source, "ray_source.names", f"{split} has {len(set(names))} names of {n} photos")
    shape = (n, cameras.height, cameras.width)
    images, alpha = views.images, views.alpha
    _check_form(source, "ray_source.image-shape", "ray_source.image-dtype", f"{split} images", images, (*shape, 3))
    if isinstance(images, Tensor):  # a stack's 8-bit photos are always in range, and are not decoded for this
        _check_values(source, "ray_source.image-finite", "ray_source.image-range", f"{split} images", images)
    if alpha is not None:
        rule = "ray_source.alpha"
        _check_form(source, rule, rule, f"{split} alpha", alpha, shape)
        if isinstance(alpha, Tensor):
            _check_values(source, rule, rule, f"{split} alpha", alpha)


def check_novel(source: RaySource, cameras: object, count: int, like: Cameras) -> None:
    """Check ``count`` novel cameras of the size of ``like``: ``ray_source.novel-cameras``."""
    rule = "ray_source.novel-cameras"
    check_cameras(source, rule, cameras, "sample_cameras")
    assert isinstance(cameras, Cameras)
    if len(cameras) != count:
        raise ContractError(source, rule, f"{len(cameras)} cameras instead of {count}")
    sizes = [(c.height, c.width) for c in (cameras, like)]
    if sizes[0] != sizes[1]:
        raise ContractError(source, rule, "{}x{} pixels, but the photos have {}x{}".format(*sizes[0], *sizes[1]))


def check_cameras(source: RaySource, rule: str, cameras: object, what: str) -> None:
    """Check that cameras are finite float32, with focal lengths above 0."""
    if not isinstance(cameras, Cameras):
        raise ContractError(source, rule, f"{what}: cameras are {_kind_of(cameras)}")
    for name, value in (("poses", cameras.poses), ("intrinsics", cameras.intrinsics)):
        if value.dtype != torch.float32 or not value.isfinite().all():
            raise ContractError(source, rule, f"{what}: {name} of {value.dtype}, {_not_finite(value)}")
    if not (cameras.intrinsics[:, :2] > 0).all():
        raise ContractError(
            source, rule, f"{what}: a focal length of {float(cameras.intrinsics[:, :2].min()):.4g}"
        )


# -- teachers ----------------------------------------------------------------------------------------------


def check_rendering(teacher: Teacher, seen: object, shape: Sequence[int], what: str = "") -> None:
    """Check what a teacher renders for rays or views of ``shape``: ``teacher.*``."""
    if not isinstance(seen, Rendering):
        raise ContractError(teacher, "teacher.rendering", f"{_kind_of(seen)}{what}")
    for name, right in (("rgb", (*shape, 3)), ("opacity", tuple(shape)), ("depth", tuple(shape))):
        value = getattr(seen, name)
        _check_form(teacher, "teacher.shape", "teacher.dtype", name + what, value, right)
        in_range = None if name == "depth" else "teacher.range"
        _check_values(teacher, "teacher.finite", in_range, name + what, value)


# -- the parts of a student --------------------------------------------------------------------------------


def check_part(part: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
    """Check what an encoding, a backbone or an upsampler returns for ``inputs``: shape, dtype, finite, range."""
    batch, _, rows, columns = inputs[0].shape
    if isinstance(part, RayEncoding):
        kind, what, shape = "encoding", "features", (batch, part.channels, rows, columns)
    elif isinstance(part, Backbone):
        kind, what, shape = "backbone", "features", (batch, part.channels, rows, columns)
    elif isinstance(part, Upsampler):
        kind, what, shape = "upsampler", "the image", (batch, 3, rows * part.scale, columns * part.scale)
    else:
        return
    dtypes = (torch.float32,) if kind == "encoding" else (torch.float32, torch.float16, torch.bfloat16)
    dtype_rule = "encoding.dtype" if kind == "encoding" else f"{kind}.shape"
    _check_form(part, f"{kind}.shape", dtype_rule, what, output, shape, dtypes)
    assert isinstance(output, Tensor)
    _check_values(part, f"{kind}.finite", "upsampler.range" if kind == "upsampler" else None, what, output)


def is_image(image: Tensor) -> bool:
    """Return whether all values of an image are finite and in [0, 1], up to the rounding of half precision."""
    least, greatest = torch.stack(image.detach().aminmax()).tolist()
    return math.isfinite(least) and math.isfinite(greatest) and least >= -_ROUNDING and greatest <= 1 + _ROUNDING


def check_loss(loss: Loss, cost: object) -> None:
    """Check that what ``loss`` returned can be minimised: training itself checks that it is finite.

    Raises:
        ContractError: it is not a scalar tensor, or does not depend on the image.

    """
    if not isinstance(cost, Tensor):
        raise ContractError(loss, "loss.scalar", f"it returned {type(cost).__name__}")
    if cost.shape != ():
        raise ContractError(loss, "loss.scalar", f"it returned the shape {tuple(cost.shape)}")
    if not cost.requires_grad:
        raise ContractError(loss, "loss.gradient", "it returned a number that does not depend on the image")


def channels_of(part: Backbone | RayEncoding) -> int:
    """Return the number of features per ray that a part declares."""
    channels = getattr(part, "channels", None)
    if not isinstance(channels, int) or channels < 1:
        kind = "encoding" if isinstance(part, RayEncoding) else "backbone"
        raise ContractError(part, f"{kind}.shape", f"its attribute channels is {channels!r}")
    return channels


# -- exporters ---------------------------------------------------------------------------------------------


def check_exported(exporter: Exporter[Any], exported: object, folder: Path) -> Exported:
    """Return what an exporter reports, after checking that its files exist in ``folder``."""
    if not isinstance(exported, Exported):
        raise ContractError(exporter, "exporter.exported", f"export returned {_kind_of(exported)}")
    if not exported.files:
        raise ContractError(exporter, "exporter.exported", "it names no file")
    for name in (*(file.name for file in exported.files), *exported.extras):
        if not (folder / name).exists():
            raise ContractError(exporter, "exporter.files", f"there is no {name!r}")
    return exported


def check_runner(exporter: Exporter[Any], runner: object) -> Runner:
    """Return what an exporter's ``load`` returned, after checking that it is a runner."""
    if not isinstance(runner, Runner):
        raise ContractError(exporter, "exporter.runner", f"load returned {_kind_of(runner)}")
    return runner


# -- values ------------------------------------------------------------------------------------------------


def _check_form(
    component: object,
    shape_rule: str,
    dtype_rule: str,
    what: str,
    value: object,
    shape: tuple[int, ...],
    dtypes: tuple[torch.dtype, ...] = (torch.float32,),
) -> None:
    if not isinstance(value, Tensor | PhotoStack | AlphaStack):
        raise ContractError(component, shape_rule, f"{what}: {_kind_of(value)}")
    if tuple(value.shape) != shape:
        raise ContractError(component, shape_rule, f"{what}: {tuple(value.shape)} instead of {shape}")
    if value.dtype not in dtypes:
        raise ContractError(component, dtype_rule, f"{what}: {value.dtype}")


def _check_values(component: object, finite_rule: str, range_rule: str | None, what: str, value: Tensor) -> None:
    """Check values in one pass: minimum and maximum propagate NaN."""
    if not value.numel() or value.device.type == "meta":
        return
    least, greatest = torch.stack(value.detach().aminmax()).tolist()
    if not (math.isfinite(least) and math.isfinite(greatest)):
        raise ContractError(component, finite_rule, f"{what}: {_not_finite(value)}")
    if range_rule is not None and not (least >= -_ROUNDING and greatest <= 1 + _ROUNDING):
        raise ContractError(component, range_rule, f"{what}: from {least:.4g} to {greatest:.4g}")


def _not_finite(value: Tensor) -> str:
    return f"{int((~value.isfinite()).sum())} of {value.numel()} values are NaN or infinite"


def _kind_of(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__qualname__}"
