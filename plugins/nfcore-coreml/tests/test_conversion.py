"""What a torch module computes, its package computes, also where coremltools' own conversion would not."""

import torch
from torch import Tensor, nn

from nfcore_coreml.conversion import Description, convert
from nfcore_coreml.evaluator import Package, Program


class Inverted(nn.Module):
    """A number over the input, as perspective has it."""

    def forward(self, depths: Tensor) -> Tensor:
        """Return 2 / depths."""
        return 2 / depths


def test_a_small_number_is_inverted_exactly(tmp_path):
    # coremltools 9.0 makes MIL's `inverse` of it, whose epsilon of 1e-4 halves the first value.
    depths = torch.tensor([1e-4, 1e-3, 0.5, 7.0])
    described = Description("2 / depths", {"depths": "what is inverted"}, {"inverted": "2 / depths"})
    convert(Inverted(), {"depths": depths}, tmp_path / "it.mlpackage", target="iOS16", description=described)
    found = Program(Package.read(tmp_path / "it.mlpackage"))(depths=depths)["inverted"]
    torch.testing.assert_close(found, 2 / depths)
