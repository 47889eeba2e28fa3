import pytest
import torch

from nfcore_teachers.hash_encoding import HashEncoding, vertices


def encoding(**sizes):
    made = HashEncoding(**{"levels": 4, "channels": 2, "log2_table": 10, "coarsest": 4, "finest": 32} | sizes)
    made.begin(torch.Generator().manual_seed(0))
    return made


def some_points(n=200):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(1))


def test_resolutions_grow_geometrically_and_coarse_levels_need_no_hash():
    levels = encoding().levels
    assert [level.resolution for level in levels] == [4, 8, 16, 32]  # equation 3 with b = 2
    assert [level.hashed for level in levels] == [False, False, True, True]
    assert [level.rows for level in levels] == [125, 729, 1024, 1024]
    assert [level.first for level in levels] == [1, 126, 855, 1879]


def test_a_vertex_is_hashed_as_equation_4_says():
    level = encoding().levels[3]
    point = torch.tensor([[5.25, 30.5, 17.0]]) / 32
    rows, weights = vertices(point, level)
    expected, shares = [], []
    for x, u in ((5, 0.75), (6, 0.25)):
        for y, v in ((30, 0.5), (31, 0.5)):
            for z, w in ((17, 1.0), (18, 0.0)):
                expected.append(level.first + (x ^ y * 2654435761 % 2**32 ^ z * 805459861 % 2**32) % 1024)
                shares.append(u * v * w)
    assert rows[0].tolist() == expected
    assert weights[0].tolist() == pytest.approx(shares, abs=1e-5)


def test_a_dense_level_interpolates_trilinearly():
    made = encoding(levels=1, channels=3, log2_table=12, coarsest=8, finest=8)
    places = torch.cartesian_prod(*[torch.arange(9)] * 3) / 8
    made.table.data[1:] = places @ torch.diag(torch.tensor([1.0, -2.0, 3.0]))
    points = some_points()
    torch.testing.assert_close(made(points), points * torch.tensor([1.0, -2.0, 3.0]))


def test_gradients_are_those_of_the_interpolation():
    made = encoding()
    points, table = some_points(5), made.table.detach().double().requires_grad_()
    located = [vertices(points, level) for level in made.levels]
    rows, weights = (torch.stack(parts, 1).flatten(0, 1) for parts in zip(*located, strict=True))
    (table[rows.long()] * weights[..., None].double()).sum(1).pow(2).sum().backward()
    made(points).pow(2).sum().backward()
    torch.testing.assert_close(made.table.grad.double(), table.grad, atol=1e-6, rtol=1e-4)


def test_no_points_have_no_features():
    assert encoding()(torch.zeros(0, 3)).shape == (0, 8)


@pytest.mark.slow
@pytest.mark.parametrize("scatter", [False, True], ids=["look up", "scatter"])
def test_the_kernel_compiles_for_a_gpu_that_is_not_here(scatter):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from nfcore_teachers.hash_triton import trilinear

    types = dict.fromkeys(("points", "table", "features"), "*fp32") | {"plan": "*i32", "n": "i32", "levels": "i32"}
    constants = {"CHANNELS": 2, "BLOCK": 256, "SCATTER": scatter}
    source = ASTSource(fn=trilinear, signature=types | dict.fromkeys(constants, "constexpr"), constexprs=constants)
    assert "atom" in triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"] or not scatter


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the Triton kernel needs CUDA")
def test_the_kernel_agrees_with_the_reference():
    pytest.importorskip("triton")
    made = encoding(levels=16, log2_table=14, coarsest=16, finest=512).cuda()
    made.table.data.normal_()
    made.table.data[0] = 0
    points = some_points(10_000).cuda()
    theirs = made(points)
    ours = made.reference(points)
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    (gradient,) = torch.autograd.grad((theirs**2).sum(), made.table)
    (expected,) = torch.autograd.grad((ours**2).sum(), made.table)
    torch.testing.assert_close(gradient, expected, atol=1e-2, rtol=1e-3)
