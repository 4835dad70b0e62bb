"""Damage of every kind: each has its own paragraph, nothing is lost, and the doctor reports it and the rest."""

import ctypes
import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from market_pipeline.cli.main import main
from market_pipeline.config.settings import Settings
from market_pipeline.mart.publish import publish
from market_pipeline.orchestration.history_digests import NOTE
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.storage.artifacts import save, serialised
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.pipeline import Pipeline

DAILY = '[crypto]\ncalendar = "24/7"\nstart = 2026-01-01\nsymbols = ["WALK1-USD", "SIM1-USD"]\n'
REGISTER = "insert into models values ('crypto', 'linear', '2026-01-01', '2025-12-31', ?, ?, ?, 1, now()::timestamp)"


def backfill(assets: str) -> tuple[str, ...]:
    return ("backfill", "--market", "crypto", "--start", "2026-01-10", "--end", "2026-01-10", "--assets", assets)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data directory has prices, a mart, a model and a history of runs."""
    folder = tmp_path_factory.mktemp("filled")
    pipeline = Pipeline(folder, DAILY)
    pipeline.compute(("prices",), dt.date(2026, 1, 1), dt.date(2026, 1, 10))
    settings = pipeline.settings
    content = serialised({"a": [1.0] * 100})
    path, digest = save(content, FolderStore(settings.home), "crypto/linear/2026-01-01")
    with pipeline.warehouse.connect(read_only=False) as connection:
        row = [path, digest, len(content)]
        connection.execute(REGISTER, row)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart)
    open_instance(settings).dispose()
    return folder


def variables(folder: Path) -> dict[str, str]:
    return {
        "MARKET_PIPELINE_HOME": str(folder / "data"), "MARKET_PIPELINE_CONFIG": str(folder / "markets.toml"),
        "MARKET_PIPELINE_SOURCE": "", "COLUMNS": "2000",
    }  # fmt: skip


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=variables(folder))


def one_paragraph(output: str) -> str:
    assert "Traceback" not in output
    assert "a bug of the program" not in output
    message = output[output.index("Error: ") :].strip()
    assert "\n\n" not in message
    return " ".join(message.split())


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 10)


def overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), 3):
        content[place] ^= 0xFF
    path.write_bytes(content)


def without_a_note(path: Path) -> None:
    """As after a kill: the digests of Dagster's databases are not noted."""
    next(path.parents[number] / NOTE for number in range(3) if (path.parents[number] / NOTE).exists()).unlink()
    overwritten(path)


def of_another_kind(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table meta (a integer)")


def a_list(path: Path) -> None:
    path.write_text("- BatchedEventLog\n- RunOutput\n")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


MODEL = "models/crypto/linear"
DAMAGES: list[tuple[str, Callable[[Path], None], tuple[str, ...], str, str]] = [
    ("mart.duckdb", truncated, ("forecast",), "mart.duckdb cannot be read; it may be damaged", "mart"),
    ("mart.duckdb", overwritten, ("verdicts",), "mart.duckdb cannot be read; it may be damaged", "mart"),
    ("mart.duckdb", of_another_kind, ("forecast",), "it does not begin as a DuckDB file", "mart"),
    ("warehouse.duckdb", of_another_kind, backfill("prices"), "warehouse.duckdb cannot be read; it may", "warehouse"),
    (
        "warehouse.duckdb",
        truncated,
        backfill("prices"),
        "warehouse.duckdb cannot be read; it may be damaged",
        "warehouse",
    ),
    ("warehouse.duckdb.blocks", emptied, backfill("prices"), "may have written over, is damaged", "warehouse"),
    ("warehouse.duckdb.blocks", a_list, backfill("prices"), "may have written over, is damaged", "warehouse"),
    (MODEL, truncated, (), "", "model files of crypto"),
    (MODEL, overwritten, (), "", "model files of crypto"),
    ("dagster/history/runs.db", truncated, backfill("mart"), "dagster cannot be read; it may be damaged", "dagster"),
    ("dagster/history/runs/index.db", without_a_note, backfill("mart"), "dagster cannot be read", "dagster"),
    (
        "dagster/schedules/schedules.db",
        without_a_note,
        backfill("mart"),
        "dagster cannot be read; it may be",
        "dagster",
    ),
    ("dagster/history/runs/index.db", overwritten, backfill("mart"), "while no process had it open", "dagster"),
    ("dagster/dagster.yaml", overwritten, backfill("mart"), "is no configuration of Dagster", "dagster"),
    ("dagster/dagster.yaml", a_list, backfill("mart"), "is no configuration of Dagster", "dagster"),
    ("source", overwritten, backfill("mart"), "source is damaged: it names the source", "configuration"),
    ("source", a_folder, backfill("mart"), "source cannot be read: Is a directory", "configuration"),
    ("../markets.toml", overwritten, backfill("mart"), "is not valid TOML", "configuration"),
]


@pytest.mark.parametrize(("name", "damage", "arguments", "expected", "subject"), DAMAGES)
def test_a_damaged_file_is_reported_by_the_command_that_needs_it_and_by_the_doctor(
    filled: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], arguments: tuple[str, ...],
    expected: str, subject: str,
) -> None:  # fmt: skip
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "data" / name
    path = next(path.iterdir()) if path.is_dir() else path
    damage(path)
    before = path.read_bytes() if path.is_file() else b""
    if arguments:
        result = run(tmp_path, *arguments)
        assert result.exit_code == 1
        assert expected in one_paragraph(result.output)
    doctor = run(tmp_path, "doctor", "--port", "1")
    assert doctor.exit_code == 1
    assert "Traceback" not in doctor.output
    [line] = [line for line in doctor.output.splitlines() if line.startswith(f"fix  {subject}:")]
    assert str(path.resolve() if subject != "dagster" else tmp_path / "data" / "dagster") in line
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_what_the_system_cannot_read_of_the_history_is_named(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    (tmp_path / "data" / "dagster" / "history" / "runs" / "odd.db").mkdir()
    for arguments in (backfill("mart"), ("doctor", "--port", "1")):
        result = run(tmp_path, *arguments)
        assert result.exit_code == 1
        assert "Is a directory" in result.output
        assert "odd.db" in result.output
        assert "Traceback" not in result.output


def test_a_quote_in_the_path_is_no_obstacle_and_a_pattern_is_refused(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path / "it's")
    result = run(tmp_path / "it's", *backfill("mart"))
    assert result.exit_code == 0, result.output
    for character in "?*[":
        folder = tmp_path / f"what{character}"
        message = one_paragraph(run(folder, *backfill("mart")).output)
        assert f"has {character!r} in its path" in message
        assert not folder.exists()


LIMITED = """
import resource, sys
from market_pipeline.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
main()
"""


@pytest.mark.parametrize("size", [1_000, 300_000])
def test_a_full_disk_ends_a_command_in_one_paragraph_and_loses_nothing(filled: Path, tmp_path: Path, size: int) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    line = [sys.executable, "-W", "ignore", "-c", LIMITED, str(size), *backfill("prices")]
    found = subprocess.run(
        line, env=os.environ | variables(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert found.returncode == 1
    assert "space" in one_paragraph(found.stderr)
    result = run(tmp_path, *backfill("prices,mart"))
    assert result.exit_code == 0, result.output


def without_override() -> None:
    """An administrator may write everywhere by a capability (CAP_DAC_OVERRIDE), which the next program has not."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_a_folder_that_cannot_be_written_is_named(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "data", *(tmp_path / "data").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for arguments in (backfill("prices"), backfill("mart"), ("doctor", "--port", "1")):
        line = [sys.executable, "-W", "ignore", "-c", "from market_pipeline.cli.main import main; main()", *arguments]
        found = subprocess.run(
            line, env=os.environ | variables(tmp_path), capture_output=True, text=True, check=False, timeout=120,
            preexec_fn=without_override,
        )  # fmt: skip
        assert found.returncode == 1
        assert "Traceback" not in found.stdout + found.stderr
        assert "chown" in (found.stdout if arguments[0] == "doctor" else one_paragraph(found.stderr))


def test_the_doctor_finds_nothing_of_this_in_whole_files(filled: Path) -> None:
    lines = [line for line in run(filled, "doctor", "--port", "1").output.splitlines() if line.startswith("fix ")]
    assert [line for line in lines if "crypto:" not in line] == []
    assert Settings.from_environment(variables(filled)).source == "simulated"
