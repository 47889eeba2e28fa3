"""Help and tables are readable in narrow terminals; options that do not apply, and missing files, are named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nfcore.cli import app
from nfcore.cli.output import print_table


def commands(group, path=()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner:
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


GROUP = get_command(app)
COMMANDS = dict(commands(GROUP)) | {(name,): command for name, command in GROUP.added().items()}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_examples_and_fits_into_80_columns_with_no_option_cut_at_60(path):
    for width in (80, 60):
        shown = CliRunner(env={"COLUMNS": str(width)}).invoke(app, [*path, "--help"], prog_name="nfcore").stdout
        assert max(map(len, shown.splitlines())) <= 80
        for parameter in COMMANDS[path].params:
            assert all(option in shown for option in parameter.opts if option.startswith("-"))
    assert f"\n    nfcore {' '.join(path)}" in shown.partition("Examples:")[2]


def test_each_command_that_takes_a_run_takes_the_folder_of_runs_too():
    for path, command in COMMANDS.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--runs" in options or not options & {"run", "runs"}, path


def test_a_table_in_a_narrow_terminal_breaks_no_word(monkeypatch, capsys):
    words = ["transforms_{train,val,test}.json", "nfcore-some-distribution", "an-exporter-with-a-name"]
    for columns in ("60", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        print_table(["what", "from", "name"], [words, ["a", "b", "c"]], "a title")
        shown = capsys.readouterr().out
        assert all(word in shown for word in words)
        assert max(map(len, shown.splitlines())) <= int(columns)


def test_no_color_is_respected(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(["what"], [["a"]])
    assert "\x1b[3" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["export", "missing.safetensors", "onnx"], "missing.safetensors: no such file"),
        (["render", "runs/missing.safetensors"], "runs/missing.safetensors: no such file"),
        (["recipes", "show", "missing.toml"], "missing.toml"),
        (["recipes", "list", "--image", "8x8"], "--sizes"),
        (["compare", "a", "--json", "--markdown"], "--markdown"),
        (["make-scene", "still-life", "--photos", "5"], "--photos"),
        (["make-scene", "still-life", "--text"], "--text"),
    ],
)
def test_a_missing_file_and_an_option_that_does_not_apply_are_named(command, tmp_path, arguments, named):
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert named in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_options_of_another_kind_of_model_are_refused(command, tmp_path):
    (tmp_path / "student.safetensors").touch()
    (tmp_path / "run").mkdir()
    assert "--again" in command("export", "student.safetensors", "onnx", "--again", cwd=tmp_path).stderr
    assert "--again" in command("render", "student.safetensors", "--again", cwd=tmp_path).stderr
    assert "--out" in command("export", "run", "onnx", "--out", "there", cwd=tmp_path).stderr
