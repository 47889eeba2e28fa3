"""nfcore: posed photos in, a neural light field that renders in real time on a phone out.

The public surface is what this module and the packages below list in their ``__all__``, and the hooks in
``nfcore.hookspecs``. Nothing else is promised: modules within a package may move and change at any time. A test
checks that CHANGELOG.md names every change of the public surface.

- ``nfcore.cli``: helpers for a plugin's own commands
- ``nfcore.config``: pipelines as data
- ``nfcore.dataset``: helpers for readers of photos: pixels, splits, undistortion, bounds from poses and points
- ``nfcore.evaluation``: metrics, error maps
- ``nfcore.exports``: manifests of exports, and helpers for exporters
- ``nfcore.geometry``: camera regions, space warps, visual hulls, spherical harmonics, trilinear interpolation
- ``nfcore.io``: atomic files, tensors, images
- ``nfcore.kernels``: fused steps of rendering and learning on a CPU, compiled by numba
- ``nfcore.pipeline``: one function for each stage
- ``nfcore.plugin``: the plugin manager
- ``nfcore.runs``: runs and their folders
- ``nfcore.runtime``: devices, threads
- ``nfcore.scene``: camera paths
- ``nfcore.student``: a student's parts, size and cost
- ``nfcore.testing``: the conformance kit
- ``nfcore.ui``: progress in the terminal
- ``nfcore.viewer``: the viewer that exported pages share: shell, controls, camera
- ``nfcore.views``: views rendered by a teacher

Names are imported on first use, so ``import nfcore`` is fast: plugins, and commands that only list things, never
wait for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nfcore.errors import Interrupted as Interrupted
    from nfcore.errors import NfcoreError as NfcoreError
    from nfcore.errors import PluginError as PluginError
    from nfcore.errors import UserError as UserError
    from nfcore.exports.deploy import DeployedLightField as DeployedLightField
    from nfcore.exports.deploy import camera_render as camera_render
    from nfcore.geometry.orbits import OrbitRegion as OrbitRegion
    from nfcore.geometry.spaces import Space as Space
    from nfcore.hookspecs import hookimpl as hookimpl
    from nfcore.interfaces import Backbone as Backbone
    from nfcore.interfaces import BakedField as BakedField
    from nfcore.interfaces import Exported as Exported
    from nfcore.interfaces import ExportedFile as ExportedFile
    from nfcore.interfaces import Exporter as Exporter
    from nfcore.interfaces import Field as Field
    from nfcore.interfaces import Loss as Loss
    from nfcore.interfaces import Points as Points
    from nfcore.interfaces import Port as Port
    from nfcore.interfaces import RayEncoding as RayEncoding
    from nfcore.interfaces import RaySource as RaySource
    from nfcore.interfaces import Rendering as Rendering
    from nfcore.interfaces import Runner as Runner
    from nfcore.interfaces import SceneModel as SceneModel
    from nfcore.interfaces import Split as Split
    from nfcore.interfaces import Target as Target
    from nfcore.interfaces import Teacher as Teacher
    from nfcore.interfaces import Tolerance as Tolerance
    from nfcore.interfaces import Upsampler as Upsampler
    from nfcore.interfaces import VerificationUnavailable as VerificationUnavailable
    from nfcore.interfaces import ViewMetadata as ViewMetadata
    from nfcore.interfaces import Views as Views
    from nfcore.interfaces.budget import Budget as Budget
    from nfcore.interfaces.exported import camera_ports as camera_ports
    from nfcore.interfaces.exported import features_port as features_port
    from nfcore.interfaces.exported import image_port as image_port
    from nfcore.interfaces.exported import ray_ports as ray_ports
    from nfcore.interfaces.reporting import ForwardingReporter as ForwardingReporter
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
    from nfcore.views.fitted_teacher import FittedTeacher as FittedTeacher
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
