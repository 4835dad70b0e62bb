"""What all commands share: help, errors, exit status, JSON, completion, colours."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.text import Text

from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.cli.main import main
from market_pipeline.cli.tables import table_of
from market_pipeline.cli.terminal import command, console_on, one_paragraph
from market_pipeline.errors import SourceError

COMMANDS = tuple(main.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_examples(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "market-pipeline" in result.output.split("Example", 1)[1]


def test_the_help_documents_the_exit_status() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for expected in ("Exit status:", "0  success", "1  an error", "2  a command", "NO_COLOR", "MARKET_PIPELINE_HOME"):
        assert expected in text


@pytest.mark.parametrize("arguments", [["nonsense"], ["backfill"], ["ui", "--port", "x"], ["run", "--nonsense"]])
def test_an_impossible_command_line_ends_with_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_every_error_is_one_paragraph_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @click.argument("kind")
    @one_paragraph
    def broken(kind: str) -> None:
        if kind == "disk":
            raise OSError(28, "No space left on device", "/home/x/warehouse.duckdb")
        raise KeyError("[stocks]")

    full = CliRunner().invoke(broken, ["disk"])
    assert (full.exit_code, full.output.count("\n\n")) == (1, 0)
    assert "No space left on device" in full.output
    fault = CliRunner().invoke(broken, ["program"])
    assert fault.exit_code == 1
    assert "KeyError in test_terminal.py" in fault.output
    assert "[stocks]" in fault.output  # no markup
    assert "Traceback" not in fault.output
    monkeypatch.setenv("MARKET_PIPELINE_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(broken, ["program"]).exception, KeyError)


def test_a_message_keeps_its_square_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "markets.toml").write_text("")
    monkeypatch.setenv("MARKET_PIPELINE_CONFIG", str(tmp_path / "markets.toml"))
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path / "data"))
    assert "Add a table such as [stocks]" in CliRunner().invoke(main, ["run"]).output


def test_the_doctor_prints_a_message_as_it_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("symbols of stocks", ok=False, message="[red]x[/red]: no file has it; near it: [/]X")]
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.diagnose", lambda *_: found)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.stdout == "fix  symbols of stocks: [red]x[/red]: no file has it; near it: [/]X\n"


ESCAPES, SPELT = "AAA\x1b[31mX\x07\x9b2J\x7f", r"AAA\x1b[31mX\x07\x9b2J\x7f"
"""A symbol in a file that would colour the terminal, ring its bell and clear it, and how it is printed."""


def test_an_error_and_the_doctor_print_escape_sequences_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    @command()
    def broken() -> None:
        raise SourceError(f"no file has AAX; near it: {ESCAPES}, ZZZ.")

    assert CliRunner().invoke(broken).stderr == f"Error: no file has AAX; near it: {SPELT}, ZZZ.\n"
    monkeypatch.setattr(
        "market_pipeline.cli.doctor.diagnosis.diagnose", lambda *_: [Finding("source", ok=False, message=ESCAPES)]
    )
    assert CliRunner().invoke(main, ["doctor"]).stdout == f"fix  source: {SPELT}\n"


def test_a_cell_and_a_wrapped_line_print_escape_sequences_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    console_on().print(table_of("", [{"symbol": Text(ESCAPES)}], narrow=False))
    assert capsys.readouterr().out.replace("\n", "").isprintable()
    console_on().print(f"{ESCAPES} {'and ' * 20}{ESCAPES}", markup=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert "".join(lines).replace(" ", "") == f"{SPELT}{'and' * 20}{SPELT}"  # no character is cut


PLANTED = """
import logging, subprocess, sys, warnings
from market_pipeline.cli.main import main

@main.command()
def planted():
    warnings.simplefilter("always", RuntimeWarning)  # as arch does for warnings of its own
    warnings.warn("of a library", RuntimeWarning)
    subprocess.run([sys.executable, "-c", "import warnings; warnings.warn('of a process')"], check=True)
    logging.getLogger("market_pipeline").warning("of this program")

main(["planted"])
"""


@pytest.mark.parametrize("wanted", ["", "default"])
def test_no_warning_of_a_library_is_printed_unless_it_is_asked_for(wanted: str) -> None:
    environment = os.environ | {"PYTHONWARNINGS": wanted}
    line = [sys.executable, "-c", PLANTED]
    found = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert ("of a library" in found.stderr) is ("of a process" in found.stderr) is (wanted != "")
    assert "of this program\n" in found.stderr
    assert wanted or found.stderr == "of this program\n"


@pytest.mark.parametrize(("shell", "expected"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete ")])
def test_completion_is_printed_for_each_shell(shell: str, expected: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert expected in result.output
    assert "_MARKET_PIPELINE_COMPLETE" in result.output


def completed(folder: Path, *arguments: str) -> list[str]:
    """What a shell completes the last word to, called as by the script of `completion bash`."""
    environment = {
        **os.environ,
        "MARKET_PIPELINE_HOME": str(folder),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "_MARKET_PIPELINE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("market-pipeline", *arguments)),
        "COMP_CWORD": str(len(arguments)),
    }
    line = [sys.executable, "-c", "from market_pipeline.cli.main import main; main(prog_name='market-pipeline')"]
    output = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    return [row.split(",", 1)[1] for row in output.splitlines() if row]


def test_shells_complete_commands_and_markets(tmp_path: Path) -> None:
    assert completed(tmp_path, "d") == ["demo", "doctor"]
    assert completed(tmp_path, "run", "--market", "s") == ["stocks"]
    assert completed(tmp_path, "forecast", "A") == []


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_is_for_terminals_and_not_with_no_color(tmp_path: Path, no_color: str) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")},
        "MARKET_PIPELINE_HOME": str(tmp_path), "MARKET_PIPELINE_SOURCE": "simulated", "TERM": "xterm-256color",
        "NO_COLOR": no_color,
    }  # fmt: skip
    line = [sys.executable, "-c", "from market_pipeline.cli.main import main; main()", "forecast"]
    ours, theirs = pty.openpty()
    subprocess.run(line, env=environment, stdout=theirs, stderr=theirs, check=False, timeout=120)
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)
    assert b"No mart is published" in shown
    assert (b"\x1b[1;31mError:" in shown) is (not no_color)
    piped = subprocess.run(line, env=environment, capture_output=True, check=False, timeout=120).stderr
    assert piped.startswith(b"Error: No mart")
    assert b"\x1b[" not in piped


def test_doctor_for_a_script(tmp_path: Path) -> None:
    result = CliRunner(
        env={"MARKET_PIPELINE_HOME": str(tmp_path), "MARKET_PIPELINE_SOURCE": "simulated", "MARKET_PIPELINE_CONFIG": ""}
    ).invoke(main, ["doctor", "--json", "--port", "1"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {row["subject"] for row in found} >= {"configuration", "data directory", "source", "disk", "port"}
    assert {"warehouse", "mart"} <= {row["subject"] for row in found}
    assert all(row["ok"] and row["message"] for row in found)
