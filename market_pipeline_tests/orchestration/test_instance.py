"""The Dagster instance of a data directory: what opening it leaves, and copies of dagster.yaml of version 0.1.0."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.event_log import BatchedEventLog
from market_pipeline.orchestration.instance import dagster_yaml, last_beat, open_instance
from market_pipeline.orchestration.launcher import LocalRunLauncher

WRITTEN_BY_0_1_0 = {
    "module: market_pipeline.orchestration.event_log": "module: market_pipeline.event_log",
    "    granularity: run\n": "",
    "run_launcher:\n  module: market_pipeline.orchestration.launcher\n  class: LocalRunLauncher\n": "",
    "  start_timeout_seconds: 90\n": "  start_timeout_seconds: 120\n",
    "  max_runtime_seconds: 86400\n": "  max_runtime_seconds: 7200\n",
}
"""What dagster.yaml has now, and what version 0.1.0 had in its place."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data", source="simulated")


@pytest.fixture
def old_copy(settings: Settings) -> Path:
    """A copy as version 0.1.0 made it, with a line that its owner has changed and one in Windows' manner."""
    path = settings.dagster_home / "dagster.yaml"
    path.parent.mkdir(parents=True)
    content = dagster_yaml().read_text(encoding="utf-8")
    for new, old in WRITTEN_BY_0_1_0.items():
        assert new in content
        content = content.replace(new, old)
    content = content.replace("max_concurrent_runs: 2", "max_concurrent_runs: 7 # our own\r")
    path.write_text(content, encoding="utf-8", newline="")
    path.chmod(0o640)
    return path


def test_an_instance_opens_without_a_variable_and_sets_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog)
    assert last_beat(settings) is None
    assert "DAGSTER_HOME" not in os.environ


@pytest.mark.parametrize("opens", [open_instance, last_beat])
def test_only_what_version_0_1_0_wrote_is_corrected_in_a_copy(
    settings: Settings, old_copy: Path, opens: object
) -> None:
    before = old_copy.read_bytes()
    assert callable(opens)
    opens(settings)
    after = old_copy.read_bytes().decode()
    assert all(new in after and (not old or old not in after) for new, old in WRITTEN_BY_0_1_0.items())
    assert "max_concurrent_runs: 7 # our own\r\n" in after
    changed = [line for line in after.encode().splitlines() if line not in before.splitlines()]
    assert len(changed) == 7
    assert old_copy.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in old_copy.parent.glob("dagster.yaml*")] == ["dagster.yaml"]


def test_a_corrected_copy_takes_its_place_on_the_disk_and_a_link_to_it_stays(
    settings: Settings, old_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere" / "our.yaml"
    elsewhere.parent.mkdir()
    old_copy.rename(elsewhere)
    old_copy.symlink_to(elsewhere)
    steps, flush, replace = list[tuple[str, Path]](), os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        steps.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
        flush(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append(("rename", self))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    last_beat(settings)
    of_the_copy = [(step, path) for step, path in steps if elsewhere.parent in (path, path.parent)]
    [new] = [path for step, path in of_the_copy if step == "rename"]
    assert of_the_copy == [("flush", new), ("rename", new), ("flush", elsewhere.parent)]
    assert old_copy.is_symlink()
    assert b"LocalRunLauncher" in elsewhere.read_bytes()
    assert elsewhere.stat().st_mode & 0o777 == 0o640


def test_an_older_copy_opens_with_the_batched_event_log_and_the_launcher(settings: Settings, old_copy: Path) -> None:
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog)
        assert isinstance(instance.run_launcher, LocalRunLauncher)
    corrected = old_copy.read_bytes()
    open_instance(settings).dispose()
    assert old_copy.read_bytes() == corrected


def test_ticks_are_kept_as_long_as_the_configuration_has_it(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert instance.get_tick_retention_settings(InstigatorType.SCHEDULE) == dict.fromkeys(TickStatus, 90)
        of_sensors = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    days = {TickStatus.SKIPPED: 7, TickStatus.FAILURE: 30, TickStatus.SUCCESS: 30}
    assert {status: of_sensors[status] for status in days} == days


def test_a_launcher_and_limits_of_the_owner_stay(settings: Settings, old_copy: Path) -> None:
    own = old_copy.read_text(encoding="utf-8").replace("max_runtime_seconds: 7200", "max_runtime_seconds: 72000")
    own += "\nrun_launcher:\n  module: dagster\n  class: DefaultRunLauncher\n"
    old_copy.write_text(own, encoding="utf-8")
    with open_instance(settings) as instance:
        assert type(instance.run_launcher) is dg.DefaultRunLauncher
        assert instance.run_monitoring_max_runtime_seconds == 72000


def test_a_current_copy_is_not_written_again(settings: Settings) -> None:
    open_instance(settings).dispose()
    path = settings.dagster_home / "dagster.yaml"
    before = path.stat()
    open_instance(settings).dispose()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_an_interrupted_update_leaves_the_older_copy(
    settings: Settings, old_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old_copy.read_bytes()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        open_instance(settings)
    assert old_copy.read_bytes() == before


@pytest.mark.parametrize("content", [None, ""])
def test_an_emptied_configuration_is_written_again(settings: Settings, content: str | None) -> None:
    open_instance(settings).dispose()
    path = settings.dagster_home / "dagster.yaml"
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="utf-8")
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog)
    assert path.read_bytes() == dagster_yaml().read_bytes()


FIRST_USE = """
import sys
from pathlib import Path
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration import instance
settings = Settings(home=Path(sys.argv[1]), source="simulated")
print("ready", flush=True)
sys.stdin.readline()
with instance.open_instance(settings) as opened:
    print(type(opened.event_log_storage).__name__, len(opened.get_runs()), flush=True)
"""


def test_a_first_use_by_several_processes_at_once_and_after_a_kill(settings: Settings) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", FIRST_USE, settings.home], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    killed = processes.pop()
    assert killed.stdin is not None
    killed.stdin.write("\n")
    killed.stdin.flush()
    time.sleep(0.2)
    killed.kill()
    killed.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        written, errors = process.communicate(timeout=120)
        assert written == "BatchedEventLog 0\n", errors
    assert not list(settings.home.glob("*.new"))
