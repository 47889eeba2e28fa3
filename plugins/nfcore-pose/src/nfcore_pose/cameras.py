"""Which photos share a camera, and the focal length that each camera starts from."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from nfcore import UserError
from nfcore_pose.job import JobCamera
from nfcore_pose.options import Sharing
from nfcore_pose.photos import PhotoFacts

#: Focal length that is assumed where EXIF has none, as a share of the longer side.
_USUAL_FOCAL = 1.2


def shared_cameras(facts: Sequence[PhotoFacts], sharing: Sharing, lens: str) -> tuple[list[JobCamera], list[int]]:
    """Return the cameras, and the index of each photo's camera.

    Args:
        facts: of each photo.
        sharing: ``one`` camera for all photos, ``each`` its own, or, with ``auto``, one for those of the same
            size, device, lens and focal length.
        lens: COLMAP's name of the lens model.

    Raises:
        UserError: one camera for photos of several sizes.

    """
    sizes = sorted({(fact.width, fact.height) for fact in facts})
    if sharing == "one" and len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for width, height in sizes[:3])
        raise UserError(f"photos of {len(sizes)} sizes ({listed}) can't share one camera: leave out --cameras one")
    groups: dict[object, list[int]] = {}
    for index, fact in enumerate(facts):
        key = {"auto": fact.camera, "one": None, "each": index}[sharing]
        groups.setdefault(key, []).append(index)
    cameras, owner = [], [0] * len(facts)
    for number, members in enumerate(groups.values()):
        cameras.append(_camera([facts[index] for index in members], lens))
        for index in members:
            owner[index] = number
    return cameras, owner


def _camera(facts: Sequence[PhotoFacts], lens: str) -> JobCamera:
    known = [fact.focal for fact in facts if fact.focal is not None]
    height, width = facts[0].height, facts[0].width
    return JobCamera(
        model=lens,
        height=height,
        width=width,
        focal=median(known) if known else _USUAL_FOCAL * max(height, width),
        known=bool(known),
    )
