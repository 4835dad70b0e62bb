"""A database of Dagster that changes while no process has it open is reported, and nothing else is."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from benchmarks.faults.flipped_bits import flip
from market_pipeline.config.settings import Settings
from market_pipeline.errors import WarehouseError
from market_pipeline.orchestration.history_digests import NOTE, USERS, OpenHistory
from market_pipeline.orchestration.instance import open_instance


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"MARKET_PIPELINE_HOME": str(tmp_path / "data")})


def a_run(settings: Settings) -> None:
    """A run whose events are stored, as a command executes it."""

    @dg.job
    def nothing() -> None:
        @dg.op
        def done() -> None:
            pass

        done()

    with open_instance(settings) as instance:
        assert nothing.execute_in_process(instance=instance).success


def test_the_last_to_close_notes_every_database_and_the_first_to_open_removes_the_note(settings: Settings) -> None:
    a_run(settings)
    folder = settings.dagster_home
    noted = json.loads((folder / NOTE).read_bytes())
    assert set(noted) == {path.relative_to(folder).as_posix() for path in folder.rglob("*.db")}
    assert len(noted) == 4  # runs, their index, schedules, and the log of one run
    with open_instance(settings) as one:
        assert not (folder / NOTE).exists()
        with open_instance(settings):
            one.get_runs()
        assert not (folder / NOTE).exists()
    assert (folder / NOTE).exists()


@pytest.mark.parametrize("seed", range(12))
def test_any_bit_of_any_database_is_reported(settings: Settings, seed: int) -> None:
    a_run(settings)
    draw = random.Random(seed)
    path = draw.choice(sorted(settings.dagster_home.rglob("*.db")))
    place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
    flip(path, place, bit)
    name = path.relative_to(settings.dagster_home).as_posix()
    for _ in range(2):  # it stays reported
        with pytest.raises(WarehouseError, match=rf"has changed while no process had it open: {name}\."):
            open_instance(settings)
    flip(path, place, bit)
    a_run(settings)


def test_deleting_the_note_accepts_the_change_and_a_damaged_note_is_reported(settings: Settings) -> None:
    a_run(settings)
    note = settings.dagster_home / NOTE
    for content in (b"[]", b"{", b"\xff"):
        note.write_bytes(content)
        with pytest.raises(WarehouseError, match=NOTE):
            open_instance(settings)
    note.unlink()
    a_run(settings)
    assert note.exists()


def test_a_run_that_was_removed_is_no_damage(settings: Settings) -> None:
    a_run(settings)
    [log] = [path for path in (settings.dagster_home / "history" / "runs").glob("*.db") if path.name != "index.db"]
    log.unlink()
    with open_instance(settings):
        pass


def test_after_a_kill_nothing_is_compared(settings: Settings) -> None:
    a_run(settings)
    killed = "import os, sys\nfrom market_pipeline.orchestration.instance import open_instance\n"
    killed += "from market_pipeline.config.settings import Settings\n"
    killed += "instance = open_instance(Settings.from_environment(os.environ))\n"
    killed += "instance.run_storage.set_cursor_values({'written': 'before the kill'})\nos.kill(os.getpid(), 9)\n"
    environment = os.environ | {"MARKET_PIPELINE_HOME": str(settings.home)}
    assert subprocess.run([sys.executable, "-c", killed], env=environment, check=False).returncode == -9
    assert not (settings.dagster_home / NOTE).exists()
    with open_instance(settings) as instance:
        assert instance.run_storage.get_cursor_values({"written"}) == {"written": "before the kill"}
    assert (settings.dagster_home / NOTE).exists()


def test_only_the_last_of_two_to_close_notes_the_digests(tmp_path: Path) -> None:
    both = [OpenHistory(tmp_path), OpenHistory(tmp_path)]
    both[0].close()
    assert not (tmp_path / NOTE).exists()
    both[1].close()
    both[1].close()
    assert (tmp_path / NOTE).exists()


def test_who_may_not_write_compares_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    OpenHistory(tmp_path).close()
    monkeypatch.undo()
    assert not (tmp_path / NOTE).exists()
    assert not (tmp_path / USERS).exists()
