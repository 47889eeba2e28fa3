"""Kernels compute what torch computes; where they can't be compiled or kept, it is said in one line."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from nfcore import kernels
from nfcore.geometry import spherical_harmonics
from nfcore.kernels import Grid, in_parts, in_turn, network_size, row_lanes

# A text is evaluated when a test begins: collecting this file compiles nothing.
needs_numba = pytest.mark.skipif(
    "isinstance(kernels.load('nfcore.kernels.marching'), kernels.Unavailable)", reason="no kernels here"
)
RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def in_a_new_process(code, **environment):
    """Output and errors of ``code``, run with other environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )


LOAD = "from nfcore import kernels; print(kernels.load('nfcore.kernels.network'))"


@pytest.mark.slow
def test_neither_torch_nor_numba_is_imported_before_kernels_are_asked_for():
    code = "import sys, nfcore.kernels; print({'torch', 'numba'} & set(sys.modules))"
    assert in_a_new_process(code).stdout.strip() == "set()"


def test_kernels_that_are_turned_off_say_so(monkeypatch):
    monkeypatch.setenv("NFCORE_KERNELS", "off")
    assert "NFCORE_KERNELS" in kernels.load("nfcore.kernels.marching").reason


def test_torch_does_the_work_where_it_is_asked_to_and_in_no_other_thread():
    found = kernels.load("nfcore.kernels.marching")
    with ThreadPoolExecutor(1) as pool, kernels.without_kernels():
        assert isinstance(kernels.load("nfcore.kernels.marching"), kernels.Unavailable)
        assert pool.submit(kernels.load, "nfcore.kernels.marching").result() == found
    assert kernels.load("nfcore.kernels.marching") == found


def test_a_machine_without_numba_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr("nfcore.kernels.compile._loaded", {})
    assert "pip install numba" in kernels.load("nfcore.kernels.marching").reason


#: Makes a process one of a machine on which numba is not installed.
WITHOUT_NUMBA = "import sys; sys.modules |= dict.fromkeys(('numba', 'llvmlite'))\n"
ALL_COMPONENTS = """
from nfcore import plugins
for kind in ("teacher", "encoding"):
    for _, component in plugins().components(kind):
        plugins().load(kind, component.name)
"""
SMALL_RUN = """
import nfcore.cli
sys.argv = ["nfcore", "teach", "run", "--recipe", "field", "--quiet", "--json"]
for change in ("image_size=16", "scene.train_views=8", "scene.test_views=2", "teach.steps=4"):
    sys.argv += ["--set", change]
nfcore.cli.main()
"""


@pytest.mark.slow
def test_a_machine_without_numba_imports_what_has_kernels_and_fits_a_field(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = in_a_new_process(WITHOUT_NUMBA + ALL_COMPONENTS + SMALL_RUN)
    assert json.loads(done.stdout)["teacher.parameters"] > 0


@needs_numba
@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_named_and_kernels_run_all_the_same(tmp_path):
    (tmp_path / "file").touch()
    seen = in_a_new_process(LOAD, NFCORE_KERNELS=str(tmp_path / "file" / "below"))
    assert str(tmp_path / "file") in seen.stderr
    assert "module 'nfcore.kernels.network'" in seen.stdout


@needs_numba
def test_kernels_that_fail_to_compile_are_unavailable_in_one_line(monkeypatch, tmp_path):
    (tmp_path / "broken_kernels.py").write_text(
        "from nfcore.kernels.compile import kernel\n\n\n@kernel\ndef broken(x):\n    return x.nothing\n\n\n"
        "def warm_up():\n    broken(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NFCORE_KERNELS", str(tmp_path / "cache"))
    said = []
    reason = kernels.load("broken_kernels", said.append).reason
    assert "torch" in reason
    assert "\n" not in reason
    assert len(said) == 1


@needs_numba
def test_machine_code_is_kept_under_a_name_that_changes_with_the_source(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NFCORE_KERNELS", str(tmp_path / "cache"))
    source = "from nfcore.kernels.compile import kernel\n\n\n@kernel\ndef one(x):\n    return x + {}\n"
    said = []
    for number, name in enumerate(("first_kernels", "second_kernels")):
        (tmp_path / f"{name}.py").write_text(source.format(number) + "\n\ndef warm_up():\n    one(1)\n")
        assert kernels.load(name, said.append).one(1) == 1 + number
    assert len(said) == 2
    assert len({path.parents[1] for path in (tmp_path / "cache").rglob("*.nbc")}) == 2
    monkeypatch.setattr("nfcore.kernels.compile._loaded", {})
    kernels.load("first_kernels", said.append)
    assert len(said) == 2


@needs_numba
def test_machine_code_is_found_by_the_same_sources_in_another_folder(monkeypatch, tmp_path):
    if not hasattr(pytest.importorskip("numba").config, "CACHE_LOCATOR_CLASSES"):
        pytest.skip("this numba keeps machine code by path alone")
    monkeypatch.setenv("NFCORE_KERNELS", str(tmp_path / "cache"))
    source = "from nfcore.kernels.compile import kernel\n\n\n@kernel\ndef one(x):\n    return x + 1\n"
    misses = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        (folder / "moved_kernels.py").write_text(source)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            patch.setattr("nfcore.kernels.compile._loaded", {})
            patch.delitem(sys.modules, "moved_kernels", raising=False)
            loaded = kernels.load("moved_kernels")
            assert loaded.__file__.startswith(str(folder))
            assert loaded.one(1) == 2
            misses.append(sum(loaded.one.stats.cache_misses.values()))
    assert misses == [1, 0]


@needs_numba
@pytest.mark.slow
def test_what_one_process_compiles_another_one_waits_for(tmp_path):
    (tmp_path / "shared_kernels.py").write_text(
        "import time\nfrom nfcore.kernels.compile import kernel\ntime.sleep(1)\n\n\n"
        "@kernel\ndef one(x):\n    return x + 1\n\n\ndef warm_up():\n    one(1)\n"
    )
    code = "from nfcore import kernels; print(sum(kernels.load('shared_kernels').one.stats.cache_misses.values()))"
    places = {"NFCORE_KERNELS": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: in_a_new_process(code, **places).stdout.strip(), range(2)))
    assert sorted(both) == ["0", "1"]


@needs_numba
@pytest.mark.slow
def test_a_machine_without_wide_vectors_computes_the_same(tmp_path):
    """The tests of rows and of the network, compiled for any processor of this architecture."""
    any_processor = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NFCORE_KERNELS": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "touched or bounds or network_and"],
        capture_output=True,
        text=True,
        env=os.environ | any_processor,
    )
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_parts_run_at_once_and_an_error_in_one_is_raised():
    assert in_parts(lambda part: 2 * part, 5) == [0, 2, 4, 6, 8]
    for wrong in (0, 2):
        with pytest.raises(ZeroDivisionError):
            in_parts(lambda part, wrong=wrong: 1 // (part - wrong), 3)


def test_items_are_taken_in_turn_and_their_results_are_in_their_order():
    assert in_turn(lambda item: 2 * item, list(range(100)), 3) == list(range(0, 200, 2))
    assert in_turn(lambda item: item, [], 3) == []
    with pytest.raises(ZeroDivisionError):
        in_turn(lambda item: 1 // item, [2, 1, 0], 2)


@needs_numba
@pytest.mark.parametrize("row", [8, 16])
def test_rows_that_were_touched_move_as_adam_moves_them(row):
    move_rows = kernels.load("nfcore.kernels.row_adam").move_rows

    rows = 11
    parameter = torch.nn.Parameter(torch.from_numpy(floats(rows, row)))
    table = parameter.detach().numpy().copy().reshape(-1)
    mean, square = np.zeros_like(table), np.zeros_like(table)
    optimizer = torch.optim.Adam([parameter], lr=0.03, betas=(0.9, 0.99), eps=1e-15)
    bounds = (np.full(row, -9, np.float32), np.full(row, 9, np.float32))
    for step in range(1, 4):
        gradients, touched = floats(2, rows * row), np.zeros((2, 16), np.uint8)
        touched[0, :rows:2] = touched[1, 1:rows:2] = touched[1, 0] = 1
        gradients[0].reshape(rows, row)[1::2] = 0
        gradients[1].reshape(rows, row)[2::2] = 0
        parameter.grad = torch.from_numpy(gradients.sum(0)).view(rows, row).clone()
        optimizer.step()
        rates = np.full(row, 0.03 / (1 - 0.9**step), np.float32)
        numbers = [np.float32(number) for number in (0.9, 0.99, 1 / (1 - 0.99**step))]
        arrays = (table, gradients, touched, mean, square, rates, *bounds)
        for first, last in ((0, 8), (8, 16)):
            moved = move_rows(row_lanes(row), first, last, *arrays, *numbers, np.empty(16, np.int32))
            assert moved == min(last, rows) - first
        assert not gradients.any()
        assert not touched.any()
    np.testing.assert_allclose(table.reshape(rows, row), parameter.detach().numpy(), atol=1e-5)
    assert move_rows(row_lanes(row), 0, 16, *arrays, *numbers, np.empty(16, np.int32)) == 0


@needs_numba
def test_rows_stay_within_their_bounds():
    move_rows = kernels.load("nfcore.kernels.row_adam").move_rows

    table, zero = np.zeros(8, np.float32), np.zeros(8, np.float32)
    low, high, one = np.full(8, -0.1, np.float32), np.full(8, 0.2, np.float32), np.float32(1)
    gradients, touched = np.array([[1, -1] * 4], np.float32), np.array([[1] + 7 * [0]], np.uint8)
    arrays = (table, gradients, touched, zero.copy(), zero.copy(), np.ones(8, np.float32), low, high)
    move_rows(row_lanes(8), 0, 8, *arrays, np.float32(0), np.float32(0), one, np.empty(8, np.int32))
    np.testing.assert_array_equal(table, np.array([-0.1, 0.2] * 4, np.float32))


@needs_numba
@pytest.mark.parametrize(("row", "hidden"), [(8, 16), (16, 32)])
def test_the_network_and_its_gradients_are_those_of_torch(row, hidden):
    network = kernels.load("nfcore.kernels.network")

    inputs = np.concatenate([np.ones(1, np.float32), floats(row + 7)])
    weights, slopes = floats(network_size(len(inputs), hidden, 3)), floats(3)
    x = torch.from_numpy(inputs).requires_grad_()
    flat = torch.from_numpy(weights).requires_grad_()
    sizes = [len(inputs) * hidden, hidden * hidden, hidden, 3 * hidden, 3]
    one, two, bias, three, last_bias = flat.split(sizes)
    layer = (x @ one.view(-1, hidden)).relu()
    truth = three.view(3, hidden) @ (layer @ two.view(hidden, hidden) + bias).relu() + last_bias
    truth.backward(torch.from_numpy(slopes))

    first, second, outputs = (np.empty(n, np.float32) for n in (hidden, hidden, 3))
    network.network_forward(row_lanes(row), weights, inputs, first, second, outputs)
    np.testing.assert_allclose(outputs, truth.detach().numpy(), rtol=1e-4, atol=1e-4)
    gradient, of_inputs = np.zeros_like(weights), np.empty(row, np.float32)
    scratch = (np.empty(hidden, np.float32), np.empty(hidden, np.float32))
    network.network_backward(row_lanes(row), weights, inputs, first, second, slopes, gradient, *scratch, of_inputs)
    np.testing.assert_allclose(gradient, flat.grad.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(of_inputs, x.grad.numpy()[:row], rtol=1e-3, atol=1e-3)


@needs_numba
def test_harmonics_are_those_of_the_geometry():
    harmonics = kernels.load("nfcore.kernels.ray_harmonics").write_harmonics

    out = np.empty(9, np.float32)
    for direction in floats(20, 3):
        harmonics(*(3 * direction), out, 1)
        unit = torch.from_numpy(direction / np.linalg.norm(direction))[None]
        np.testing.assert_allclose(out[1:], spherical_harmonics(unit)[0, 1:].numpy(), atol=1e-5)


@needs_numba
def test_gaps_are_distances_to_the_nearest_full_block():
    occupancy = kernels.load("nfcore.kernels.occupancy")
    shape = (5, 19, 7)
    full = RNG.random(shape) < 0.004
    gap = np.empty(full.size, np.uint8)
    nothing, number = np.zeros(8, np.float32), np.float32(1)
    cells, bits = nothing.astype(np.int32), full.astype(np.uint64).reshape(-1)
    grid = Grid(nothing, cells, bits, bits, cells, gap, shape, shape, number, nothing, False, row_lanes(8))
    occupancy.measure_gaps(grid)
    places = np.stack(np.indices(shape), -1).reshape(-1, 1, 3)
    truth = np.abs(places - np.argwhere(full)[None]).max(2).min(1)
    np.testing.assert_array_equal(gap, np.minimum(truth, occupancy.MOST_GAP))
