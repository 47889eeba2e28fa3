import torch
import torch.nn.functional as F

from nfcore.geometry import corner_offsets, interpolate, locate

SHAPE = (4, 5, 6)


def look_up(table, points, shape=SHAPE):
    """Trilinear look-up in a full table, whose row 0 is the padding row."""
    cells, weights = locate(points, shape)
    rows = cells.long()[:, None] + corner_offsets(shape) + 1
    return interpolate(table, rows, weights.to(table.dtype))


def points_inside(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, generator=generator) * (torch.tensor(SHAPE) - 1)


def test_a_look_up_agrees_with_grid_sample():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(*SHAPE, 3, generator=generator)
    table = torch.cat([torch.zeros(1, 3), values.view(-1, 3)])
    points = points_inside(200)
    # grid_sample wants x, y, z in [-1, 1] with x along the last axis.
    normalised = (points / (torch.tensor(SHAPE) - 1) * 2 - 1).flip(1)
    expected = F.grid_sample(
        values.permute(3, 0, 1, 2)[None], normalised[None, None, None], align_corners=True, mode="bilinear"
    )[0, :, 0, 0].t()
    torch.testing.assert_close(look_up(table, points), expected)


def test_at_a_vertex_the_look_up_gives_the_vertex():
    values = torch.arange(4 * 5 * 6, dtype=torch.float32)
    table = torch.cat([torch.zeros(1), values])[:, None]
    vertices = torch.stack(torch.unravel_index(torch.arange(4 * 5 * 6), SHAPE), 1).float()
    torch.testing.assert_close(look_up(table, vertices)[:, 0], values)


def test_the_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(2)
    table = torch.randn(4 * 5 * 6 + 1, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    points = points_inside(7).double()
    assert torch.autograd.gradcheck(lambda t: look_up(t, points), table)


def test_a_constant_first_row_gets_no_gradient():
    table = torch.ones(3, 2, requires_grad=True)
    rows = torch.tensor([[0, 0, 0, 0, 1, 1, 2, 2]], dtype=torch.int32)
    interpolate(table, rows, torch.full((1, 8), 0.125), constant_first=True).sum().backward()
    assert table.grad.tolist() == [[0, 0], [0.25, 0.25], [0.25, 0.25]]


def test_the_layout_of_the_points_in_memory_does_not_matter():
    points = points_inside(50)
    by_axis = points.t().contiguous().t()
    for a, b in zip(locate(points, SHAPE), locate(by_axis, SHAPE), strict=True):
        assert torch.equal(a, b)
