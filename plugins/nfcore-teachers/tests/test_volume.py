import torch

from nfcore_teachers.volume import accumulate, volume_weights

#: Samples of each ray: none first, none in the middle, none last.
COUNTS = torch.tensor([0, 3, 1, 0, 5, 0])


def nerf_weights(optical_depth, counts):
    """NeRF eq. 3, ray by ray: T_i (1 - exp(-s_i d_i)) with T_i = exp(-sum of what is before)."""
    result = []
    for ray in optical_depth.split(counts.tolist()):
        for i in range(len(ray)):
            result.append(torch.exp(-ray[:i].sum()) * (1 - torch.exp(-ray[i])))
    return torch.stack(result)


def depths(dtype=torch.float64):
    return torch.rand(9, generator=torch.Generator().manual_seed(0), dtype=dtype) * 2


def test_weights_are_those_of_nerfs_equation_3():
    torch.testing.assert_close(volume_weights(depths(), COUNTS), nerf_weights(depths(), COUNTS))


def test_gradients_are_those_of_the_plain_formula():
    ours, plain = depths().requires_grad_(), depths().requires_grad_()
    factors = torch.linspace(-1, 2, 9, dtype=torch.float64)
    (volume_weights(ours, COUNTS) * factors).sum().backward()
    (nerf_weights(plain, COUNTS) * factors).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)


def test_the_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(lambda d: volume_weights(d, COUNTS), depths().requires_grad_())


def test_a_ray_is_not_touched_by_what_others_absorbed():
    ray = depths(torch.float32)[:3]
    thick = torch.full((100_000,), 1e3)
    packed = volume_weights(torch.cat([thick, ray]), torch.tensor([100_000, 3]))
    torch.testing.assert_close(packed[-3:], volume_weights(ray, torch.tensor([3])), rtol=1e-5, atol=1e-7)


def test_the_weights_of_a_ray_sum_to_its_opacity():
    ray = torch.arange(6).repeat_interleave(COUNTS)
    opacity = accumulate(volume_weights(depths(), COUNTS), ray, 6)
    absorbed = accumulate(depths(), ray, 6)
    torch.testing.assert_close(opacity, 1 - torch.exp(-absorbed))


def test_no_samples_make_no_weights():
    weights = volume_weights(torch.zeros(0, requires_grad=True), torch.zeros(4, dtype=torch.int64))
    weights.sum().backward()
    assert weights.shape == (0,)
