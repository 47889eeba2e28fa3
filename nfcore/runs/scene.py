"""The scene of a run: its ray source, checked against the student before anything is trained."""

from __future__ import annotations

from nfcore.config.schema import PipelineConfig
from nfcore.interfaces import RaySource
from nfcore.interfaces.boundaries import check_source
from nfcore.plugin.manager import PluginManager
from nfcore.scene.cameras import grid_shape


def open_scene(config: PipelineConfig, manager: PluginManager) -> RaySource:
    """Return the ray source that ``config`` names, with its photos read, cropped for the student, and checked.

    Raises:
        ContractError: the ray source breaks a rule, such as images in 0..255.
        UserError: the data set is missing or invalid, or the student's scale does not divide the photos' size.

    """
    choice, options = config.scene, config.scene.options
    crop = manager.load("ray_source", choice.name).crop_option
    if config.student is not None and crop is not None:
        options = {crop: config.student.scale, **options}
    source: RaySource = manager.build("ray_source", choice.name, options, config.image_size)
    check_source(source)
    for split in ("train", "test"):
        cameras = source.views(split).cameras
        if config.student is not None:
            grid_shape(cameras.height, cameras.width, config.student.scale)
    return source
