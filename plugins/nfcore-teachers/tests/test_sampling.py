import torch

from nfcore_teachers.sampling import quadrature, resampled, stratified


def seeded(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_stratified_samples_lie_each_in_its_own_part():
    near, far = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0])
    assert stratified(near, far, 4, None).tolist() == [[1.25, 1.75, 2.25, 2.75], [2.5, 3.5, 4.5, 5.5]]
    parts = (stratified(near, far, 4, seeded) - near[:, None]) / (far - near)[:, None] * 4
    assert torch.equal(parts.floor(), torch.arange(4.0).expand(2, 4))


def test_samples_are_drawn_where_the_weights_are():
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    drawn = resampled(edges, torch.tensor([[0.0, 1.0, 3.0]]), 8, None)
    # A quarter of eight in [1, 2), the rest in [2, 4), each in the middle of its share.
    expected = [[1.25, 1.75, *(2 + (i + 0.5) / 3 for i in range(6))]]
    torch.testing.assert_close(drawn, torch.tensor(expected))


def test_random_samples_follow_the_distribution():
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0]]).expand(2000, -1)
    drawn = resampled(edges, torch.tensor([[1.0, 0.0, 3.0]]).expand(2000, -1), 1, seeded)
    assert abs((drawn < 1).float().mean() - 0.25) < 0.03
    assert not ((drawn > 1.001) & (drawn < 1.999)).any()


def test_weights_are_what_each_sample_absorbs_of_the_light_that_reaches_it():
    density, lengths = torch.tensor([[0.5, 2.0, 1.0]]), torch.tensor([[1.0, 0.5, 3.0]])
    reaches = torch.tensor([1.0, 0.60653066, 0.60653066 * 0.36787944])
    absorbs = torch.tensor([0.39346934, 0.63212056, 0.95021293])
    torch.testing.assert_close(quadrature(density, lengths)[0], reaches * absorbs)
