"""Runs of the tiny pipeline to report on, and a page as the tests of reports look at it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
import tiny

from nfcore.config.resolve import configure_with_sources
from nfcore.config.stages import STAGES as ALL_STAGES
from nfcore.runs import Artifacts, Run, Scheduler, provenance
from nfcore.runs.provenance import command_line
from nfcore.ui.console import Console

COMMAND = ["run", "tiny", "--set", "scene.test=5", "--set", "summary=a & b"]
STAGES = ("teach", "distill", "finetune", "evaluate", "render", "export")


class Page(HTMLParser):
    """What a browser makes of a page, as far as these tests ask: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def begin(folder: Path) -> Artifacts:
    """A new run of the tiny pipeline, as the command line begins it."""
    manager = tiny.manager()
    changes = [change for change in COMMAND if "=" in change]
    configured = configure_with_sources("tiny", manager, changes=changes)
    run = Run.create(folder, configured.config, resume=False)
    provenance.keep(run, configured.sources, manager, command_line(COMMAND))
    return Artifacts(run, manager)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run of the tiny pipeline."""
    run = begin(tmp_path_factory.mktemp("runs") / "tiny")
    for stage in ALL_STAGES:
        Scheduler(run, Console(quiet=True)).do(stage)
    return run.run.folder
