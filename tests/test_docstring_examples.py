"""The examples in docstrings show what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest
import torch

import nfcore

ROOT = Path(__file__).parents[1]


def modules_with_examples() -> list[str]:
    """The modules of nfcore and of its plugins whose docstrings have examples to run."""
    folders = [ROOT, *ROOT.glob("plugins/*/src")]
    return sorted(
        ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for folder in folders
        for file in folder.glob("nfcore*/**/*.py")
        if re.search(r">>> (?!.*# doctest: \+SKIP)", file.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_show_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with torch.random.fork_rng(devices=[]):
        result = doctest.testmod(module, extraglobs={"nfcore": nfcore, "torch": torch})
    assert result.attempted
    assert not result.failed


def test_a_wrong_example_is_noticed():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
