"""The standard tests of ray encodings."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.interfaces import Target
from nfcore.options import Options
from nfcore.plugin.components import Kind
from nfcore.scene.cameras import ray_grid
from nfcore.student.light_field import LightField
from nfcore.testing.base import require_short
from nfcore.testing.contract import require, require_shape, rule
from nfcore.testing.gradients import compare_with_differences
from nfcore.testing.part import ROUNDING, PartConformance
from nfcore.testing.sphere import FORWARD_FACING, SCENE, SphereTeacher, cameras_around, cameras_at, extreme_rays
from nfcore.testing.student import tiny_student


class EncodingConformance(PartConformance):
    """Standard tests of a ray encoding."""

    kind: ClassVar[Kind] = "encoding"

    def make(self) -> Any:
        """Return a new encoding, prepared, in eval mode."""
        encoding = self.build(SCENE)
        encoding.prepare(SphereTeacher(Options(), SCENE), SCENE, cameras_around(4, 8, 8))
        return encoding.eval()

    def make_unprepared(self) -> Any:
        """Return a new encoding that has not seen a teacher."""
        torch.manual_seed(1)
        return self.build(SCENE)

    def inputs(self, batch: int = 2, height: int = 3, width: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
        """Return origins and directions of cameras around the scene."""
        cameras = cameras_around(batch, height, width, seed)
        return ray_grid(cameras.poses, cameras.intrinsics, height, width)

    def student(self) -> LightField:
        """Return a student with the encoding."""
        return tiny_student(encoding=self.make())

    @rule("encoding.shape")
    @torch.no_grad()
    def test_it_gives_each_ray_its_channels(self) -> None:
        """The grid can have any size."""
        encoding = self.make()
        for batch, height, width in ((1, 1, 1), (2, 3, 5), (1, 6, 2)):
            features = encoding(*self.inputs(batch, height, width))
            require_shape(features, (batch, encoding.channels, height, width), "features")

    @rule("encoding.dtype")
    @torch.no_grad()
    def test_its_features_are_float32(self) -> None:
        """Rays are float32, and so is everything computed from them."""
        dtype = self.make()(*self.inputs()).dtype
        require(dtype == torch.float32, found=f"features of {dtype}", right="torch.float32")

    @rule("encoding.finite")
    @torch.no_grad()
    def test_its_features_are_finite_for_any_ray(self) -> None:
        """Parallel to an axis, past the box, from within it, from a million units away."""
        rays = extreme_rays()
        grid = [tensor.T.reshape(1, 3, 1, -1).contiguous() for tensor in (rays.origins, rays.directions)]
        for training in (False, True):
            finite = self.make().train(training)(*grid).isfinite().all(1).flatten()
            if not finite.all():
                worst = int((~finite).nonzero()[0])
                ray = f"origin {rays.origins[worst].tolist()}, direction {rays.directions[worst].tolist()}"
                require(
                    False,
                    found=f"not finite: the features of {int((~finite).sum())} of {len(finite)} rays: {ray}",
                    right="no division by a component of a direction that may be zero",
                )

    @rule("encoding.jitter")
    @torch.no_grad()
    def test_in_training_its_jitter_follows_torchs_seed(self) -> None:
        """A run with the same seed must have the same jitter."""
        encoding, inputs = self.make().train(), self.inputs()
        seen = []
        others = random.getstate(), np.random.get_state()
        try:
            for seed in (1, 2):
                random.seed(seed)
                np.random.seed(seed)
                torch.manual_seed(3)
                seen.append(self.output_of(encoding, inputs))
        finally:
            random.setstate(others[0])
            np.random.set_state(others[1])
        require(
            torch.equal(*seen),
            found="torch.manual_seed(3) gave two different features of the same rays",
            right="jitter from torch.rand or torch.randn without a generator, and from nothing else",
        )

    @rule("encoding.gradients")
    def test_gradients_of_its_weights_agree_with_finite_differences(self) -> None:
        """Passes for an encoding without weights."""
        part, inputs = self.make(), self.inputs()
        self.output_of(part, inputs)
        compare_with_differences(part, inputs, of_inputs=False, stops_gradients=self.stops_gradients)

    @rule("encoding.self-contained")
    def test_once_prepared_it_lets_go_of_the_teacher(self) -> None:
        """A teacher that is still referenced takes memory until the end of the run."""
        teacher = SphereTeacher(Options(), SCENE)
        encoding = self.build(SCENE)
        encoding.prepare(teacher, SCENE, cameras_around(4, 8, 8))
        held = weakref.ref(teacher)
        del teacher
        if held() is not None:
            gc.collect()  # it may be in an unreferenced cycle
        require(
            held() is None, found="it still references the teacher", right="tensors copied to buffers by prepare"
        )

    @rule("encoding.prepare-seed")
    def test_preparing_it_again_gives_the_same(self) -> None:
        """The random numbers of prepare come from torch's default generator, which the run seeds."""
        torch.manual_seed(7)
        encoding = self.build(SCENE)
        prepared = []
        for _ in range(2):
            torch.manual_seed(8)
            encoding.prepare(SphereTeacher(Options(), SCENE), SCENE, cameras_around(4, 8, 8))
            prepared.append({name: tensor.clone() for name, tensor in encoding.state_dict().items()})
        different = [name for name, tensor in prepared[0].items() if not torch.equal(tensor, prepared[1][name])]
        require(not different, found=f"two different {', '.join(different)}", right="the same, from the same seed")

    @rule("component.scene-refused")
    @torch.no_grad()
    def test_it_takes_a_forward_facing_scene_or_refuses_it(self) -> None:
        """The far end of such a scene is at infinity, which needs a warp."""
        try:
            encoding = self.build(FORWARD_FACING).eval()
        except UserError as error:
            require_short(error)
            return
        cameras = cameras_at(torch.eye(3, 4)[None], 4, 6)
        features = encoding(*ray_grid(cameras.poses, cameras.intrinsics, 4, 6))
        require(
            features.shape == (1, encoding.channels, 4, 6) and features.isfinite().all(),
            found=f"features {tuple(features.shape)}, {int((~features.isfinite()).sum())} of them not finite",
            right=f"finite features {(1, encoding.channels, 4, 6)}, or a UserError from the constructor",
        )

    @rule("encoding.deployed")
    @torch.no_grad()
    def test_deployed_it_gives_the_same_features(self) -> None:
        """Exports use this form, for targets that can sample volumes and for others."""
        encoding = self.used()
        inputs = self.inputs()
        expected = self.output_of(copy.deepcopy(encoding), inputs)
        for target in (Target(volumes=True), Target(volumes=False)):
            deployed = encoding.deployed(target).eval()
            difference = float((deployed(*inputs) - expected).abs().max())
            require(
                difference <= ROUNDING * max(1.0, float(expected.abs().max())),
                found=f"deployed for {target} its features are off by up to {difference:.2g}",
                right="the same function, in operations that the target supports",
            )

    @rule("encoding.halves")
    @torch.no_grad()
    def test_its_halves_if_it_has_any_give_the_same_features(self) -> None:
        """Passes for an encoding that is not made of points and their embedding."""
        encoding = self.used().eval()
        halves = encoding.halves()
        if halves is None:
            return
        points, embedding = (half.eval() for half in halves)
        inputs = self.inputs()
        expected = self.output_of(encoding, inputs)
        coordinates = points(*inputs)
        batch, count, height, width = coordinates.shape
        embedded = embedding(coordinates.reshape(batch, 1, count, height * width))
        features = embedded.transpose(1, 2).reshape(batch, -1, height, width)
        require_shape(features, tuple(expected.shape), "features")
        difference = float((features - expected).abs().max())
        require(
            difference <= ROUNDING * max(1.0, float(expected.abs().max())),
            found=f"features of its halves that are off by up to {difference:.2g}",
            right="the same function, one coordinate after the other",
        )
