"""The exported page where something goes wrong: damaged parts, markup in a title, motion, accessibility."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def cut(packed: str) -> str:
    return packed[: len(packed) // 2 // 4 * 4]


@pytest.mark.parametrize("part", ["weights", "graph-0", "wasm", "ort", "xz", "engine"])
def test_a_damaged_page_says_so(exported, opened, part, tampered):
    page = opened(tampered(exported().page, part, cut))
    page.locator("#failure").wait_for(timeout=60_000)
    assert page.locator("#failure h2").inner_text() == "This scene can't be shown"
    assert page.locator("#reason").inner_text().startswith("The model can't be run here: ")
    assert page.locator("#controls button:enabled").count() == 0
    page.complaints.clear()


def test_a_page_with_a_damaged_card_says_so(exported, opened, tampered):
    page = opened(tampered(exported().page, "card", lambda card: card[:40]))
    page.locator("#failure").wait_for()
    assert "damaged" in page.locator("#reason").inner_text()
    page.complaints.clear()


def test_a_title_is_only_text(exported, shown):
    title = "</script><script>alert(1)</script>&amp;"
    page = shown(exported(title=title).page)
    assert page.locator("#title").inner_text() == page.title() == title


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(exported, shown, violations, scheme):
    page = shown(exported("object" if scheme == "light" else "one-sided").page)
    assert violations(page) == []
    page.click("#adjust")
    assert violations(page) == []
    page.click("#ask")
    assert violations(page) == []


def test_axe_finds_nothing_in_a_failure(exported, opened, violations, tampered):
    page = opened(tampered(exported().page, "weights", cut))
    page.locator("#failure").wait_for(timeout=60_000)
    assert violations(page) == []
    page.complaints.clear()


def test_nothing_moves_by_itself_where_motion_is_unwanted(exported, shown):
    page = shown(exported().page, reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    durations = page.evaluate(
        "[...document.querySelectorAll('*')].map(e => getComputedStyle(e).transitionDuration)"
    )
    assert set(durations) == {"0s"}
