"""JSON that would take far more memory than its text is refused before it is parsed."""

from __future__ import annotations

import json

import pytest

from nfcore import UserError
from nfcore.evaluation.per_view_scores import read_view_scores
from nfcore.io import read_json, read_json_bytes
from nfcore.io.json_files import MOST_NODES
from nfcore.io.records import Record, read_record
from nfcore.options import Options, parse


@pytest.mark.parametrize("read", [read_json, read_json_bytes, lambda path: read_record(path, Record)])
@pytest.mark.parametrize("node", ["[]", "{}", '"a":1'])
def test_too_many_values_are_refused_unparsed(tmp_path, read, node):
    (tmp_path / "it.json").write_text("[" + f"{node}," * (MOST_NODES + 1))
    with pytest.raises(UserError, match=r"it\.json: 2,097,1"):
        read(tmp_path / "it.json")


def test_more_scores_than_a_report_can_show_are_refused(tmp_path):
    (tmp_path / "views.json").write_text(json.dumps([{"view": "a", "index": 0, "scores": {}}] * 100_001))
    with pytest.raises(UserError, match=r"views\.json"):
        read_view_scores(tmp_path / "views.json")


def test_a_wrong_value_that_can_not_be_shown_is_named_by_its_kind():
    class Width(Options):
        width: int

    deep = []
    for _ in range(3000):
        deep = [deep]
    for value in (deep, 10**5000):
        with pytest.raises(UserError, match="width"):
            parse(Width, {"width": value, "other": value}, "it")
