"""nfcore: posed photos in, a neural light field that renders in real time on a phone out.

This module lists the whole public surface; besides the hooks in ``nfcore.hookspecs`` and the kit
``nfcore.testing`` nothing else is promised, and a test holds every change of it against CHANGELOG.md. Names are
imported on first use, so that ``import nfcore`` costs no more than pluggy: plugins and the command line's listings
never wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nfcore.errors import NfcoreError as NfcoreError
    from nfcore.errors import PluginError as PluginError
    from nfcore.errors import UserError as UserError
    from nfcore.exports.deploy import DeployedLightField as DeployedLightField
    from nfcore.exports.deploy import camera_render as camera_render
    from nfcore.geometry.orbits import OrbitRegion as OrbitRegion
    from nfcore.geometry.spaces import Space as Space
    from nfcore.hookspecs import hookimpl as hookimpl
    from nfcore.interfaces import Backbone as Backbone
    from nfcore.interfaces import Exported as Exported
    from nfcore.interfaces import ExportedFile as ExportedFile
    from nfcore.interfaces import Exporter as Exporter
    from nfcore.interfaces import Field as Field
    from nfcore.interfaces import ParityFloor as ParityFloor
    from nfcore.interfaces import Port as Port
    from nfcore.interfaces import RayEncoding as RayEncoding
    from nfcore.interfaces import RaySource as RaySource
    from nfcore.interfaces import Rendering as Rendering
    from nfcore.interfaces import Runner as Runner
    from nfcore.interfaces import Split as Split
    from nfcore.interfaces import Target as Target
    from nfcore.interfaces import Teacher as Teacher
    from nfcore.interfaces import Upsampler as Upsampler
    from nfcore.interfaces import VerificationUnavailable as VerificationUnavailable
    from nfcore.interfaces import Views as Views
    from nfcore.interfaces.budget import Budget as Budget
    from nfcore.interfaces.exported import camera_ports as camera_ports
    from nfcore.interfaces.exported import features_port as features_port
    from nfcore.interfaces.exported import image_port as image_port
    from nfcore.interfaces.exported import ray_ports as ray_ports
    from nfcore.interfaces.reporting import Reporter as Reporter
    from nfcore.options import Options as Options
    from nfcore.plugin.components import Component as Component
    from nfcore.plugin.components import Publication as Publication
    from nfcore.plugin.components import Recipe as Recipe
    from nfcore.plugin.installed import plugins as plugins
    from nfcore.scene.bounds import Scene as Scene
    from nfcore.scene.cameras import Cameras as Cameras
    from nfcore.scene.cameras import Rays as Rays
    from nfcore.scene.cameras import ray_grid as ray_grid
    from nfcore.student.light_field import LightField as LightField

_HOME = {
    "Backbone": "interfaces",
    "Budget": "interfaces.budget",
    "Cameras": "scene.cameras",
    "Component": "plugin.components",
    "DeployedLightField": "exports.deploy",
    "Exported": "interfaces",
    "ExportedFile": "interfaces",
    "Exporter": "interfaces",
    "Field": "interfaces",
    "LightField": "student.light_field",
    "NfcoreError": "errors",
    "Options": "options",
    "OrbitRegion": "geometry.orbits",
    "ParityFloor": "interfaces",
    "PluginError": "errors",
    "Port": "interfaces",
    "Publication": "plugin.components",
    "RayEncoding": "interfaces",
    "RaySource": "interfaces",
    "Rays": "scene.cameras",
    "Recipe": "plugin.components",
    "Rendering": "interfaces",
    "Reporter": "interfaces.reporting",
    "Runner": "interfaces",
    "Scene": "scene.bounds",
    "Space": "geometry.spaces",
    "Split": "interfaces",
    "Target": "interfaces",
    "Teacher": "interfaces",
    "Upsampler": "interfaces",
    "UserError": "errors",
    "VerificationUnavailable": "interfaces",
    "Views": "interfaces",
    "camera_ports": "interfaces.exported",
    "camera_render": "exports.deploy",
    "features_port": "interfaces.exported",
    "hookimpl": "hookspecs",
    "image_port": "interfaces.exported",
    "plugins": "plugin.installed",
    "ray_grid": "scene.cameras",
    "ray_ports": "interfaces.exported",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'nfcore' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nfcore.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
