"""What a run of the server prints goes to its files, by no other process; what a command prints stays where it is."""

import multiprocessing
from pathlib import Path

import psutil
import pytest

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.run_output import RunOutput

KEY = ["run", "compute_logs", "step"]


def prints(home: Path) -> None:
    """As a step does; fails where its output takes another process."""
    with open_instance(Settings(home=home, source="simulated")) as instance:
        assert isinstance(instance.compute_log_manager, RunOutput)
        before = psutil.Process().children()
        with instance.compute_log_manager.capture_logs(KEY):
            print("of a step")  # noqa: T201  what is tested
            assert psutil.Process().children() == before


def printed(home: Path) -> list[str]:
    return [path.read_text() for path in (home / "dagster" / "storage").rglob("step.out")]


def test_a_process_of_the_server_prints_to_a_file_and_starts_no_other(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=prints, args=(tmp_path,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert printed(tmp_path) == ["of a step\n"]


def test_a_command_prints_to_its_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    prints(tmp_path)
    assert capfd.readouterr().out == "of a step\n"
    assert printed(tmp_path) == []
