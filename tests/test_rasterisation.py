"""Triangles are seen where geometry says."""

import torch

from nfcore import Cameras
from nfcore.geometry import look_at, rasterise

SIDE = 32


def camera(eye=(0.0, 0.0, 4.0), side=SIDE):
    poses = look_at(torch.tensor([eye]), torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]))
    return Cameras(poses, torch.tensor([[1.5 * side, 1.4 * side, side / 2 + 0.3, side / 2 - 0.2]]), side, side + 3)


def square(z, size):
    corners = torch.tensor([[-size, -size, z], [size, -size, z], [size, size, z], [-size, size, z]])
    return corners, torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_depth_and_place_are_those_of_the_ray():
    torch.manual_seed(0)
    triangle, view = torch.randn(3, 3), camera((1.0, 2.0, 4.0))
    hits = rasterise(triangle, torch.tensor([[0, 1, 2]]), view)
    hit, rays = hits.face >= 0, view.rays()
    assert 20 < int(hit.sum()) < hit.numel() // 2
    points = rays.origins[0] + hits.depth[..., None] * rays.directions[0]
    torch.testing.assert_close(
        hits.interpolate(torch.tensor([[0, 1, 2]]), triangle)[hit], points[hit], atol=1e-4, rtol=0
    )
    normal = torch.linalg.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
    assert (((points[hit] - triangle[0]) @ normal).abs() < 1e-4 * normal.norm()).all()
    assert torch.isinf(hits.depth[~hit]).all()
    assert (hits.weights[~hit] == 0).all()


def test_the_nearest_of_several_is_seen_from_either_side():
    (near, faces), (far, _) = square(1.0, 0.4), square(-1.0, 0.9)
    for order in (faces, faces.flip(1)):
        hits = rasterise(torch.cat([far, near]), torch.cat([faces, order + 4]), camera())
        row, column = SIDE // 2, SIDE // 2
        assert hits.face[row, column] >= 2
        assert abs(float(hits.depth[row, column]) - 3) < 1e-5
        assert hits.face[SIDE // 2, SIDE // 2 + 7] in (0, 1)


def test_neighbouring_triangles_leave_no_gap_and_cover_no_pixel_in_vain():
    points, faces = square(0.0, 10.0)
    hits = rasterise(points, faces, camera((0.5, -0.7, 4.0)))
    assert (hits.face >= 0).all()


def test_a_triangle_that_reaches_behind_the_camera_is_seen_where_it_is_in_front():
    floor = torch.tensor([[-50.0, -1.0, 50.0], [50.0, -1.0, 50.0], [0.0, -1.0, -80.0]])
    view = camera((0.0, 0.0, 4.0))
    hits = rasterise(floor, torch.tensor([[0, 1, 2]]), view)
    down = view.rays().directions[0][..., 1] < -0.05
    assert (hits.face[down] == 0).all()
    assert (hits.face[view.rays().directions[0][..., 1] > 0] == -1).all()
    torch.testing.assert_close(hits.depth[down], -1 / view.rays().directions[0][..., 1][down])


def test_what_is_behind_the_camera_or_without_area_is_not_seen():
    points, faces = square(9.0, 1.0)
    line = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    assert (rasterise(points, faces, camera()).face == -1).all()
    assert (rasterise(line, torch.tensor([[0, 1, 2]]), camera()).face == -1).all()
    assert (rasterise(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long), camera()).face == -1).all()


def test_a_picture_does_not_depend_on_the_number_of_threads():
    torch.manual_seed(1)
    points, faces = torch.randn(60, 3), torch.randint(0, 60, (200, 3))
    before = torch.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            drawn.append(rasterise(points, faces, camera(side=61)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(drawn[0].face, other.face) for other in drawn[1:])
    assert all(torch.equal(drawn[0].depth, other.depth) for other in drawn[1:])
