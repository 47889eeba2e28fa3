"""What a person sees while a run works: pictures where a terminal is known to take them, plain lines elsewhere."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import pty
import re
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from nfcore import UserError
from nfcore.io.tensors import seeded
from nfcore.runtime import memory
from nfcore.ui.console import Console, ConsoleReporter
from nfcore.ui.terminal_pictures import ROWS, inline, protocol_of

# What pictures and questions to a terminal begin with: APC, OSC 1337, DCS, primary device attributes.
FOREIGN = (b"\x1b_", b"\x1b]", b"\x1bP", b"\x1b[c", b"\x1b[0c")


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def show(**options: bool) -> None:
    """Show a stage as a training does: progress, a preview, more progress."""
    with Console(**options) as console:
        reporter = ConsoleReporter(console, "distill")
        reporter.start(200)
        reporter.step(100, psnr=24.5, loss=0.1)
        reporter.image("student", torch.rand(40, 60, 3, generator=seeded(0)))
        reporter.step(200, psnr=25.0)


def test_a_console_within_a_quiet_one_is_quiet(capsys):
    """A ray source that poses photos shows its progress, but not in a quiet run."""
    with Console(quiet=True):
        show()
    assert capsys.readouterr().err == ""
    show()
    assert "distill" in capsys.readouterr().err


@pytest.fixture
def environment(monkeypatch):
    """Set what says which terminal this is, and nothing of the one that the tests themselves run in."""
    said = (
        "TERM",
        "KITTY_WINDOW_ID",
        "LC_TERMINAL",
        "TMUX",
        "NFCORE_PICTURES",
        "FORCE_COLOR",
        "NO_COLOR",
        "COLUMNS",
    )
    for name in [name for name in os.environ if name in said or name.startswith("TERM_")]:
        monkeypatch.delenv(name)

    def setting(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return setting


@pytest.fixture
def in_terminal(environment, monkeypatch):
    """What is written to a terminal that answers nothing."""

    def written(*, pictures: bool = True, **variables: str) -> bytes:
        environment(**variables)
        ours, its = pty.openpty()
        parts: list[bytes] = []

        def read() -> None:
            with contextlib.suppress(OSError):  # so Linux says that the last writer is gone
                while part := os.read(ours, 1 << 16):
                    parts.append(part)

        reader = threading.Thread(target=read)
        reader.start()
        with monkeypatch.context() as patch, os.fdopen(its, "w", encoding="utf-8") as terminal:
            patch.setattr(sys, "stderr", terminal)
            show(pictures=pictures)
        reader.join(30)
        os.close(ours)
        return b"".join(parts)

    return written


# -- who takes pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, None),
        ({"TERM": "linux"}, None),
        ({"TERM": "dumb"}, None),
        ({}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({"TERM": "xterm-256color", "NFCORE_PICTURES": "sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "NFCORE_PICTURES": "off"}, None),
    ],
)
def test_a_terminal_is_known_by_what_it_says_of_itself(variables, protocol):
    assert protocol_of(variables) == protocol


def test_an_unknown_protocol_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match="kitty, iterm2, sixel or off"):
        protocol_of({"NFCORE_PICTURES": "gif"})


# -- the protocols -----------------------------------------------------------------------------------


def test_kitty_gets_the_picture_as_png_in_pieces_and_is_told_not_to_answer():
    sequence = inline(picture(), "kitty")
    pieces = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", sequence)
    assert "".join(f"\x1b_G{control};{data}\x1b\\" for control, data in pieces) + "\n" == sequence
    assert pieces[0][0] == f"a=T,f=100,q=2,r={ROWS},m=1"
    assert [control for control, _ in pieces[1:]] == ["m=1"] * (len(pieces) - 2) + ["m=0"]
    assert all(len(data) <= 4096 for _, data in pieces)
    png = base64.b64decode("".join(data for _, data in pieces))
    assert (np.array(Image.open(io.BytesIO(png))) == picture()).all()


def test_iterm2_gets_the_picture_as_png_with_its_size():
    match = re.fullmatch(
        rf"\x1b\]1337;File=inline=1;size=(\d+);height={ROWS};preserveAspectRatio=1:(.*)\x07\n",
        inline(picture(), "iterm2"),
    )
    png = base64.b64decode(match[2])
    assert len(png) == int(match[1])
    assert (np.array(Image.open(io.BytesIO(png))) == picture()).all()


def unsixel(sequence: str) -> np.ndarray:
    """The pixels (h, w, 3) of a sixel picture; -1 where nothing was drawn."""
    match = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\\n', sequence)
    width, height = int(match[1]), int(match[2])
    pixels = np.full((height + 6, width, 3), -1.0)
    palette, colour, x, top = {}, -1, 0, 0
    for token in re.findall(r"#\d+(?:;\d+){4}|#\d+|!\d+[?-~]|[?-~]|\$|-", match[3]):
        if token == "$":
            x = 0
        elif token == "-":
            x, top = 0, top + 6
        elif token.startswith("#"):
            index, *rest = map(int, token[1:].split(";"))
            if rest:
                palette[index] = np.array(rest[1:]) * 2.55
            colour = index
        else:
            count, bits = (int(token[1:-1]) if token[0] == "!" else 1), ord(token[-1]) - 63
            for bit in range(6):
                if bits >> bit & 1:
                    pixels[top + bit, x : x + count] = palette[colour]
            x += count
            assert x <= width
    assert (pixels[height:] == -1).all()
    return pixels[:height]


def test_sixel_draws_every_pixel_in_nearly_its_colour():
    rows, columns = np.mgrid[0:48, 0:64] / 64
    smooth = (np.stack([rows, columns, 1 - rows], 2) * 255).astype(np.uint8)
    drawn = unsixel(inline(smooth, "sixel"))
    assert drawn.shape == (ROWS * 20, ROWS * 20 * 64 // 48, 3)
    assert (drawn >= 0).all()
    wanted = np.array(Image.fromarray(smooth).resize(drawn.shape[1::-1], Image.Resampling.BOX))
    assert abs(drawn - wanted).max() < 40 and abs(drawn - wanted).mean() < 8  # 256 colours


# -- in a terminal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_that_is_not_known_gets_no_byte_of_a_picture_and_no_question(in_terminal, term):
    written = in_terminal(TERM=term)
    assert b"distill" in written and b"PSNR 25.00 dB" in written
    assert not [start for start in FOREIGN if start in written]


@pytest.mark.parametrize(
    ("variables", "start"),
    [
        ({"TERM": "xterm-kitty"}, b"\x1b_Ga=T"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, b"\x1b]1337;File=inline=1"),
        ({"TERM": "foot"}, b'\x1bPq"1;1'),
    ],
)
def test_a_terminal_that_takes_pictures_shows_the_preview_once(in_terminal, variables, start):
    written = in_terminal(**variables)
    assert written.count(start) == 1
    before, _, after = written.partition(start)
    assert b"distill" in before and b"200/200" in after  # the bar goes on below


@pytest.mark.parametrize("off", [{"NFCORE_PICTURES": "off"}, {"pictures": False}])
def test_pictures_can_be_switched_off(in_terminal, off):
    assert b"\x1b_G" not in in_terminal(TERM="xterm-kitty", **off)


def test_a_wrong_setting_is_refused_at_once_and_not_at_the_first_preview(in_terminal):
    with pytest.raises(UserError, match="NFCORE_PICTURES=png"):
        in_terminal(TERM="xterm-kitty", NFCORE_PICTURES="png")


def test_the_bar_of_a_narrow_terminal_is_one_line_that_says_all(in_terminal):
    written = in_terminal(TERM="xterm-256color", COLUMNS="80").decode()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "\n").strip().splitlines()[-1]
    for part in ("distill", "200/200", "PSNR 25.00 dB", "left"):
        assert part in last
    assert len(last) <= 80


# -- in a log ----------------------------------------------------------------------------------------


def test_a_log_gets_no_pictures_even_where_the_environment_speaks_of_a_terminal(environment, capsys):
    environment(TERM="xterm-kitty", FORCE_COLOR="1")
    show()
    written = capsys.readouterr().err.encode()
    assert b"distill" in written
    assert not [start for start in FOREIGN if start in written]


def test_a_log_gets_plain_lines(environment, capsys):
    environment(TERM="xterm-kitty")
    show()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("distill: step 200/200  PSNR 25.00 dB  ")


def test_a_line_says_step_psnr_time_rate_time_left_and_memory(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("nfcore.ui.console.time.monotonic", lambda: now[0])
    reporter = ConsoleReporter(Console(), "finetune")
    reporter.start(5000)
    for step in (3000, 3100, 3200, 5000):  # goes on from a checkpoint at 3000: those steps took no time here
        reporter.step(step, psnr=27.5, loss=0.02)
        now[0] += 20
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"[\d.]+ [MG]B", "MEMORY", line) for line in lines] == [
        "finetune: step 3100/5000  PSNR 27.50 dB  20 s  5.0/s  380 s left  MEMORY",
        "finetune: step 3200/5000  PSNR 27.50 dB  40 s  5.0/s  360 s left  MEMORY",
        "finetune: step 5000/5000  PSNR 27.50 dB  60 s  MEMORY",
    ]


def test_memory_is_what_the_system_says_of_this_process():
    before = memory.resident()
    held = np.ones(80 << 20, dtype=np.uint8)
    grown = memory.resident() - before
    assert 0.8 * held.nbytes < grown < 1.5 * held.nbytes
    assert re.fullmatch(r"(\d+ MB|\d+\.\d GB)( \+ .* GPU)?", memory.in_words())
