"""TOML is read within bounds: no key, number or nesting of a small file costs more than the file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcore import UserError
from nfcore.config.resolve import parse_change
from nfcore.io import read_toml
from nfcore.io.toml_files import DEEPEST, MOST_BYTES, parse_toml


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000 + "b = 1",
        "['a']\n" + " 'a' . \"a\" ." * DEEPEST + "a = 1",
        "x = {" + "a." * DEEPEST + "a = 1}",
        "a = " + "[" * 200 + "]" * 200,
        "[a]\n" * 3 + "b = " + "{a = " * 100 + "1" + "}" * 100,
        "a = 0x" + "f" * 5000,
        "a = 9223372036854775808",
        "a = " + "9" * 5000,
        '"' + '\\"' * 100_000,
        "'''" + "'" * 100_000,
        "# " + "x" * MOST_BYTES,
    ],
)
def test_what_would_take_more_than_its_size_is_refused(tmp_path, text):
    (tmp_path / "it.toml").write_text(text)
    with pytest.raises(UserError, match=r"it\.toml"):
        read_toml(tmp_path / "it.toml")


def test_dates_become_text_so_that_every_value_is_one_of_json():
    values = parse_toml("a = 1979-05-27\nb = [07:32:00, 1979-05-27T07:32:00Z]\nc.d = -9223372036854775808")
    assert json.loads(json.dumps(values)) == {
        "a": "1979-05-27",
        "b": ["07:32:00", "1979-05-27T07:32:00+00:00"],
        "c": {"d": -(1 << 63)},
    }


@given(st.text(st.sampled_from("a.b \"'\\#=[]{}"), max_size=400))
def test_text_and_comments_are_not_taken_for_keys(text):
    dots = "a." * 100
    assert parse_toml(f"x = {json.dumps(dots + text)} # {dots}") == {"x": dots + text}
    quoted = text.replace("'", "")
    assert parse_toml(f"x = '{dots}{quoted}'\ny = '''{dots}{quoted}'''")["y"] == dots + quoted


def test_a_change_has_the_same_bounds():
    with pytest.raises(UserError, match="key=value"):
        parse_change("a." * DEEPEST + "a=1", example="a=1")
    assert parse_change("a=0x" + "f" * 5000, example="")[1].startswith("0xfff")
