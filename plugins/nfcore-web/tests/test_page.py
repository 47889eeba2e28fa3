"""The exported file: what is in it, how large it is, and what can't be loaded."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nfcore
from nfcore import Tolerance, UserError
from nfcore_web import page as pages
from nfcore_web.model import share_weights, with_weights

pytestmark = pytest.mark.slow


def element(text: str, name: str) -> str:
    return re.search(rf'id="{name}">([^<]*)<', text)[1]


def test_an_export_is_one_file_of_at_most_4_megabytes_beside_the_model(exported):
    export = exported()
    assert [path.name for path in export.folder.iterdir()] == ["light_field.html"]
    text = export.page.read_text(encoding="utf-8")
    model = len(element(text, "weights")) + len(element(text, "graph-0"))
    assert len(text.encode()) - model <= 4_000_000  # issue 7


def test_it_names_no_address_of_any_network(exported):
    for file in files("nfcore_web").joinpath("front").iterdir():
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", file.read_text(encoding="utf-8"))
        assert [url for url in found if "www.w3.org" not in url] == [], file.name
    text = exported().page.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    allowed = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert allowed == {"'none'", "'unsafe-inline'", "'wasm-unsafe-eval'", "blob:", "data:"}


def test_it_carries_the_licences_of_the_programs_in_it(exported):
    text = exported().page.read_text(encoding="utf-8")
    for name in ("Copyright (c) Microsoft Corporation", "xz-decompress", "protobuf", "abseil", "Apache License"):
        assert name in text


def test_the_same_student_gives_the_same_bytes(exported, tmp_path):
    export = exported()
    export.exporter.export(export.student, tmp_path)
    assert (tmp_path / "light_field.html").read_bytes() == export.page.read_bytes()


def test_half_weights_make_the_model_smaller_but_not_its_arithmetic(exported):
    graphs = {}
    for weights in ("fp16", "fp32"):
        _, model = pages.model_of(exported(weights=weights).page.read_text(encoding="utf-8"), "page")
        graphs[weights] = onnx.load_from_string(with_weights(model.graphs[0], model.weights)).graph
    full, half = ({t.name: t for t in graphs[name].initializer} for name in ("fp32", "fp16"))
    large = [name for name, tensor in full.items() if len(tensor.raw_data) >= 1024]
    assert large
    for name in large:
        assert len(half[f"{name}.half"].raw_data) == len(full[name].raw_data) / 2
    back = {node.output[0]: node.attribute[0].i for node in graphs["fp16"].node if node.op_type == "Cast"}
    assert {name: back.get(name) for name in large} == dict.fromkeys(large, onnx.TensorProto.FLOAT)


def test_sizes_share_their_weights(exported):
    one, two = (exported("even", sizes=n).page.read_text(encoding="utf-8") for n in (1, 2))
    first, second = (pages.model_of(text, "page")[1] for text in (one, two))
    assert len(second.graphs) == 2
    assert first.weights == second.weights


def test_a_graph_made_whole_again_is_the_model_that_it_came_from(tmp_path, exported):
    nfcore.plugins().build("exporter", "nfcore-onnx/onnx", {}).export(exported().student, tmp_path)
    original = onnx.load(tmp_path / "light_field.onnx")
    model = share_weights([onnx.load(tmp_path / "light_field.onnx")], half=False)
    again = onnx.load_from_string(with_weights(model.graphs[0], model.weights))
    values = [
        {t.name: onnx.numpy_helper.to_array(t).tobytes() for t in m.graph.initializer} for m in (original, again)
    ]
    assert values[0] == values[1]
    assert len(model.graphs[0]) < original.ByteSize() / 2, "the weights are outside"


def test_the_floors_are_what_rounding_leaves(exported):
    assert exported().exporter.tolerance == Tolerance(psnr=50)
    assert exported(weights="fp32").exporter.tolerance == Tolerance(psnr=80, max_error=1e-3)


def test_it_is_verified_by_what_runs_it(exported):
    runner = exported().exporter.load(exported().folder)
    assert re.fullmatch(r"ONNX Runtime [\d.]+ \(CPU\), on the model in the page", runner.verified_by)


def test_a_missing_file_is_named(exported, tmp_path):
    with pytest.raises(UserError) as error:
        exported().exporter.load(tmp_path)
    assert str(error.value) == f"{tmp_path / 'light_field.html'}: no such file; export the student to get it"


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: d.replace(b"card", b"cord")]
)
def test_a_damaged_page_is_one_line(exported, tmp_path, damage):
    path = tmp_path / "light_field.html"
    path.write_bytes(damage(exported().page.read_bytes()))
    with pytest.raises(UserError, match="not a page of the web exporter, or damaged") as error:
        exported().exporter.load(tmp_path)
    assert str(error.value).startswith(f"{path}: ")


@given(data=st.binary(max_size=300))
def test_any_bytes_are_no_page(data):
    with pytest.raises(UserError, match=r"^x: not a page"):
        pages.model_of(data.decode(errors="replace"), "x")


def test_an_installation_without_the_runtime_says_what_to_do(exported, monkeypatch, tmp_path):
    pages.runtime.cache_clear()
    monkeypatch.setattr(pages, "_PACKAGE", tmp_path)
    with pytest.raises(UserError, match="without its browser runtime, which comes with npm: install Node"):
        pages.runtime("ort.mjs")


def test_the_runtime_is_the_pinned_one(request):
    lock = json.loads((request.path.parents[1] / "package-lock.json").read_text())["packages"]
    pinned = {name: lock[f"node_modules/{name}"]["version"] for name in ("onnxruntime-web", "xz-decompress")}
    assert json.loads(pages.runtime("prepared.json"))["versions"] == pinned
    assert all("integrity" in entry for name, entry in lock.items() if name)
