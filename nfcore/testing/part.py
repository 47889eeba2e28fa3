"""The standard tests shared by encoding, backbone and upsampler, which are torch modules on a ray grid."""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from nfcore.exports.deploy import DeployedLightField, fold_norms
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.student.light_field import LightField
from nfcore.testing.base import Conformance, untouched_random_state
from nfcore.testing.contract import Broken, described, once, require, require_finite, rule
from nfcore.testing.gradients import compare_with_differences

#: Differences due to rounding, when float32 sums are computed in another order.
ROUNDING = 1e-4
#: Error of half-precision arithmetic, at most, as a multiple of the error from rounding weights and input.
_FEW = 4.0


@dataclass(frozen=True)
class Exported:
    """A student deployed for a target, and its torch.export program."""

    deployed: DeployedLightField
    program: torch.export.ExportedProgram
    student: LightField


class PartConformance(Conformance):
    """The standard tests of the parts of a student.

    Attributes:
        stops_gradients: whether the part stops gradients on purpose, as straight-through estimators and detached
            amplitudes do. What its ``forward`` detaches then counts as a constant; all other gradients are tested
            as usual.

    """

    settings = Conformance.settings | {"stops_gradients"}
    stops_gradients: ClassVar[bool] = False

    @abstractmethod
    def make(self) -> Any:
        """Return a new part for the kit's scene and channels, in eval mode."""

    @abstractmethod
    def inputs(self, batch: int = 2, height: int = 3, width: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
        """Return the arguments of ``forward`` for a ray grid."""

    @abstractmethod
    def student(self) -> LightField:
        """Return a student around the part; its other parts are the kit's own."""

    def output_of(self, part: Any, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the part's output; values that are not finite break that rule instead of the rule under test."""
        output: Tensor = part(*inputs)
        require_finite(output, "image" if self.kind == "upsampler" else "features", f"{self.kind}.finite")
        return output

    def used(self) -> Any:
        """Return a part after one training step, in eval mode: saved parts are trained."""
        part = self.make().train()
        part(*self.inputs())
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        return part.eval()

    # -- weights, randomness, batches --------------------------------------------------------------------

    @rule("part.seed")
    def test_the_same_seed_gives_the_same_weights(self) -> None:
        """The run seeds torch's default generator before it builds the student."""
        first, second = ({**_seeded(7, self.make).state_dict()} for _ in range(2))
        different = [name for name in first if not torch.equal(first[name], second[name])]
        require(
            not different,
            found=f"torch.manual_seed(7) gave two different {', '.join(different)}",
            right="weights drawn from torch's default generator, as torch.nn's layers do",
        )

    @rule("part.repeatable")
    @torch.no_grad()
    def test_in_eval_mode_the_same_input_gives_the_same_output(self) -> None:
        """Noise, dropout and memory of earlier calls are for training only."""
        part, inputs = self.make(), self.inputs()
        first, second = self.output_of(part, inputs), self.output_of(part, inputs)
        require(
            torch.equal(first, second),
            found=f"two calls differ by up to {_difference(first, second):.2g}",
            right="no jitter, dropout or state while self.training is False",
        )

    @rule("part.random-state")
    @torch.no_grad()
    def test_in_eval_mode_it_leaves_the_global_random_state_alone(self) -> None:
        """Rendering a preview must not change the training."""
        part, inputs = self.make(), self.inputs()
        with untouched_random_state("forward in eval mode"):
            part(*inputs)

    @rule("part.batch-independent")
    @torch.no_grad()
    def test_in_eval_mode_each_image_is_on_its_own(self) -> None:
        """A view must not depend on what is rendered with it."""
        part, inputs = self.make(), self.inputs(batch=3)
        together = self.output_of(part, inputs)
        alone = torch.cat([part(*(tensor[i : i + 1] for tensor in inputs)) for i in range(3)])
        require(
            torch.allclose(together, alone, rtol=ROUNDING, atol=ROUNDING),
            found=f"a batch of three differs from its images alone by up to {_difference(together, alone):.2g}",
            right="no statistics over the batch while self.training is False",
        )

    # -- saving and moving -------------------------------------------------------------------------------

    @rule("part.saved")
    @torch.no_grad()
    def test_saved_and_loaded_it_gives_the_same_output(self) -> None:
        """A student's file holds its parts' ``state_dict()`` and options, and nothing else."""
        part, inputs = self.used(), self.inputs()
        write_safetensors(self.folder / "part.safetensors", part.state_dict(), {"part": self.name})
        loaded = self.make_unprepared()
        loaded.load_state_dict(read_safetensors(self.folder / "part.safetensors")[0])
        before, after = self.output_of(part, inputs), loaded.eval()(*inputs)
        require(
            torch.equal(before, after),
            found=f"the outputs differ by up to {_difference(before, after):.2g}",
            right="everything that forward needs in parameters or persistent buffers, or derived from the options",
        )

    def make_unprepared(self) -> Any:
        """Return a new part, as built before its weights are loaded."""
        return _seeded(1, self.make)

    @rule("part.device")
    @torch.no_grad()
    def test_it_moves_to_another_device(self) -> None:
        """The device is torch's ``meta``, which every machine has."""
        part = self.make().to("meta")
        try:
            output = part(*(tensor.to("meta") for tensor in self.inputs()))
        except (RuntimeError, NotImplementedError) as error:
            raise Broken(
                described(error, self.cls),
                "constants from register_buffer, new tensors with device=features.device, "
                "no .item() or float() of a tensor",
            ) from error
        require(
            output.device.type == "meta",
            found=f"after to('meta') the output is on {output.device}",
            right="an output on the device of weights and inputs",
        )

    # -- export ------------------------------------------------------------------------------------------

    @once
    def exported(self) -> Exported:
        """The part within a student, exported."""
        student = self.student()
        deployed = DeployedLightField(student)
        camera = student.cameras[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own internals
            program = torch.export.export(deployed, (camera.poses, camera.intrinsics))
        return Exported(deployed, program, student)

    @rule("part.traceable")
    @torch.no_grad()
    def test_exported_it_computes_the_same(self) -> None:
        """Every exporter starts from this graph."""
        self.output_of(self.make(), self.inputs())
        exported = self.exported()
        camera = exported.student.cameras[1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = exported.program.module()(camera.poses, camera.intrinsics)
        difference = _difference(image, exported.deployed(camera.poses, camera.intrinsics))
        require(
            difference <= ROUNDING,
            found=f"seen by another camera the graph differs from torch by up to {difference:.2g}",
            right="plain tensor operations: no Python control flow on values, no numbers from the example",
        )

    @rule("part.rank")
    def test_its_exported_graph_has_no_tensor_over_rank_five(self) -> None:
        """Core ML and others support at most five dimensions."""
        nodes = self.exported().program.graph.nodes
        values = [(node.name, node.meta.get("val")) for node in nodes]
        high = [
            f"{name} {tuple(value.shape)}"
            for name, value in values
            if isinstance(value, Tensor) and value.ndim > 5
        ]
        require(not high, found=", ".join(high[:3]), right="flatten dimensions together before adding another")


class NetworkConformance(PartConformance):
    """The standard tests of backbones and upsamplers: the part of the student that learns.

    Attributes:
        half_precision: False for a network that is never exported in half precision because one of its
            operations does not support it, such as complex numbers. It is then not required to run in it.

    """

    settings = PartConformance.settings | {"half_precision"}
    half_precision: ClassVar[bool] = True
    in_channels: ClassVar[int]

    def inputs(self, batch: int = 2, height: int = 3, width: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
        """Return features of a ray grid."""
        generator = torch.Generator().manual_seed(seed)
        return (torch.randn(batch, self.in_channels, height, width, generator=generator),)

    @rule("network.gradients")
    def test_its_gradients_agree_with_finite_differences(self) -> None:
        """With respect to its input and to each of its weights."""
        part, inputs = self.make(), self.inputs()
        self.output_of(part, inputs)
        compare_with_differences(part, inputs, of_inputs=True, stops_gradients=self.stops_gradients)

    @torch.no_grad()
    def require_finite_for_large_features(self) -> None:
        """Break the rule under test unless features around -1000, 0 and 1000 give finite output."""
        part = self.make()
        for size in (0.0, 1e3, -1e3):
            output = part(*(size * torch.ones_like(tensor) + tensor for tensor in self.inputs()))
            require(
                output.isfinite().all(),
                found=f"not finite: {int((~output.isfinite()).sum())} values for features around {size:g}",
                right="no exponential or division that is not bounded",
            )

    @rule("network.half")
    @torch.no_grad()
    def test_it_runs_in_half_precision(self) -> None:
        """Exports for phones halve the network's weights and its input.

        The error may be 2%, and a few times the error of only rounding its weights and input: a network of
        high-frequency sines loses more by any rounding.
        """
        if not self.half_precision:
            pytest.skip("not required: half_precision = False")
        part, inputs = self.make(), self.inputs()
        expected = self.output_of(part, inputs)
        halved, inputs = copy.deepcopy(part).half(), tuple(tensor.half() for tensor in inputs)
        output = halved(*inputs)
        require(
            output.dtype == torch.float16,
            found=f"float16 weights and features give {output.dtype}",
            right="an output of the input's dtype",
        )
        rounded = copy.deepcopy(halved).float()(*(tensor.float() for tensor in inputs))
        bound = 0.02 * max(1.0, float(expected.abs().max())) + _FEW * _difference(rounded, expected)
        difference = _difference(output.float(), expected)
        require(difference <= bound, found=f"it is off by {difference:.2g}", right=f"at most {bound:.2g}")

    @rule("network.norm-folding")
    @torch.no_grad()
    def test_folding_its_norms_changes_nothing(self) -> None:
        """Every export folds them, so a layer followed by a norm must be used by that norm only."""
        part, inputs = self.make(), self.inputs()
        folded = fold_norms(nn.Sequential(copy.deepcopy(part)))
        output = self.output_of(part, inputs)
        difference = _difference(folded(*inputs), output)
        require(
            difference <= ROUNDING * max(1.0, float(output.abs().max())),
            found=f"with its norms folded it is off by up to {difference:.2g}",
            right="in an nn.Sequential, a layer before a norm that is used nowhere else",
        )


def _seeded(seed: int, make: Any) -> Any:
    torch.manual_seed(seed)
    return make()


def _difference(a: Tensor, b: Tensor) -> float:
    require(a.shape == b.shape, found=f"shapes {tuple(a.shape)} and {tuple(b.shape)}", right="equal shapes")
    difference = (a.double() - b.double()).abs().max()
    return float(difference) if difference.isfinite() else float("inf")
