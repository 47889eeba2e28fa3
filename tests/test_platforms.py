"""The table of platforms in docs/installation.md: uv resolves what ``[standard]`` brings on each of them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from release.platforms import PAGE, PLATFORMS, PYTHONS, fits, requirements
from release.projects import CORE, projects

#: The oldest and the newest Python: between them nothing breaks that did not break at an end.
ENDS = (PYTHONS[0], PYTHONS[-1])
KNOWN = {project.name: project for project in projects()}
EXTRAS = KNOWN[CORE].metadata["optional-dependencies"]
STANDARD = {CORE, *(re.match(r"[\w-]+", needed)[0] for needed in EXTRAS["standard"])}


def documented() -> dict[str, dict[str, str]]:
    """What the page says of each distribution of ``[standard]`` on each platform: ``3.11 to 3.14`` or ``no``."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = {name.strip(): [cell.strip() for cell in others] for name, *others in rows}
    return {name: dict(zip(PLATFORMS, cells[name], strict=True)) for name in STANDARD}


def test_the_page_says_that_all_of_standard_has_every_python_or_none():
    rows = documented()
    spans = {span for row in rows.values() for span in row.values()}
    assert spans <= {"no", f"{ENDS[0]} to {ENDS[1]}"}  # else the other test has to ask about more than the ends


@pytest.mark.slow  # asks the package index
def test_what_standard_brings_can_be_installed_where_the_page_says():
    needed = sorted({*EXTRAS["fast"], *(each for name in STANDARD for each in requirements(KNOWN[name], KNOWN))})
    rows = documented()
    places = [(platform, python) for platform in PLATFORMS for python in ENDS]

    def resolved(place: tuple[str, str]) -> bool:
        return fits(needed, PLATFORMS[place[0]], place[1])

    try:
        with ThreadPoolExecutor(len(places)) as pool:
            found = dict(zip(places, pool.map(resolved, places), strict=True))
    except SystemExit as failed:
        pytest.skip(f"uv resolves nothing here: {str(failed)[-200:]}")
    expected = {(p, python): all(row[p] != "no" for row in rows.values()) for p, python in places}
    assert found == expected
