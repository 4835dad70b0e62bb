"""The fault campaign: a trial of each figure, a page of recorded numbers only, and checks that see planted faults."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import page, results
from benchmarks.faults.__main__ import AS_IT_SHOULD_BE, Until, tried, without_folders
from benchmarks.faults.contents import NOTHING, different, partial
from benchmarks.faults.directories import empty
from benchmarks.faults.disk import Disk, Survives
from benchmarks.faults.figures import FIGURES
from benchmarks.faults.flipped_bits import flip
from benchmarks.faults.kills import tear
from benchmarks.faults.protocol import Outcome
from benchmarks.faults.recorded import Step, steps
from benchmarks.faults.results import Batch, Record
from benchmarks.faults.traced import Call, calls, lacking
from market_pipeline.config.markets_file import load_markets

TOP = Path(__file__).parent.parent.parent
SEED = "66"
"""With it, bars are loaded and the load is killed in a write; a killed daemon; a quarter in London."""

UNTRIED = ("the call did not happen again", "it ended before the kill", "without effect")
"""Outcomes of trials in which nothing went wrong because nothing was done."""


@pytest.mark.parametrize("figures", ["F1,F2,F3,F5,F6,F7,F9", "F4", "F8"])
def test_a_trial_of_each_figure_finds_nothing_wrong(tmp_path: Path, figures: str) -> None:
    if (reason := lacking()) and not os.environ.get("CI"):
        pytest.skip(reason)
    arguments = ("--seed", SEED, "--only", figures, "--folder", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.faults", *arguments],
        cwd=TOP, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    found = dict(re.findall(r"^(F\d)  (.+)$", done.stdout, re.MULTILINE))
    assert set(found) == set(figures.split(",")), done.stdout + done.stderr[-3000:]
    assert all(outcome.endswith(AS_IT_SHOULD_BE) for outcome in found.values()), found
    assert not [outcome for outcome in found.values() if any(word in outcome for word in UNTRIED)], found


def test_every_figure_has_a_trial_in_the_tests() -> None:
    [(_, groups)] = [mark.args for mark in test_a_trial_of_each_figure_finds_nothing_wrong.pytestmark]
    assert {name for group in groups for name in group.split(",")} == {figure.name for figure in FIGURES}


def test_the_page_is_made_from_the_recorded_results() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(FIGURES, results.read())


def batch(outcomes: list[tuple[int, Outcome]], commit: str) -> Batch:
    return results.batch_of(outcomes, 0.1, "2026-11-28", "0.2.0", commit)


def test_a_figure_that_was_not_run_or_only_in_part_is_shown_as_such() -> None:
    [first, second, *_] = FIGURES
    some = Record([batch([(3, Outcome("a kill")), (4, Outcome("a kill", "A row was lost."))], "aaa1111")])
    rows = page.table(FIGURES, {first.name: some, second.name: Record(reason="strace is missing")}).splitlines()[2:]
    assert "| 2 of 1,000 | **1** | run in part (commit aaa1111) |" in rows[0]
    assert "not run: strace is missing" in rows[1]
    assert rows[2].endswith("| not run |")
    assert "seed 4 at aaa1111, a kill: `A row was lost.`" in page.details(some)


def test_the_batches_of_several_evenings_add_up_and_keep_their_faults() -> None:
    first = batch([(0, Outcome("a kill", "A row was lost.")), (1, Outcome("a kill", numbers={"s": 2}))], "aaa1111")
    second = batch([(2, Outcome("a torn write", count=997, numbers={"s": 4}, others=("a kill",)))], "bbb2222")
    record = Record([first, second])
    assert (record.trials, record.next_seed) == (1000, 3)
    assert record.kinds == {"a kill": (3, 1), "a torn write": (997, 0)}
    assert record.numbers == {"s": results.Series(2, 2, 2, 3, 4, 4)}
    assert "| 1,000 of 1,000 | **1** | run in full (commits aaa1111, bbb2222) |" in page.table(
        FIGURES, {FIGURES[0].name: record}
    )
    record.faults[0].as_it_should_be = "bbb2222"
    assert "| 1, fixed since |" in page.table(FIGURES, {FIGURES[0].name: record})
    assert "`A row was lost.` Its seed tried again at bbb2222: as it should be." in page.details(record)
    assert (record.missing(1500), record.missing(900)) == (500, 0)
    record.continued = True
    assert record.trials == 998
    assert (record.missing(1500), record.missing(900)) == (1500, 0)


def test_what_is_recorded_is_read_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    assert results.read() == {}
    record = Record([batch([(5, Outcome("a kill", "A row was lost.", numbers={"s": 1.5}))], "aaa1111")])
    results.write({"F1": record})
    results.write({"F6": record})  # of another process, which tries another figure
    assert results.read() == {"F1": record, "F6": record}


class Counting:
    """A figure whose second trial finds a fault."""

    name, title, aim, full, minutes, continued = "F1", "", "", 10, 1.0, False

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.seeds = list[int]()

    def trial(self, seed: int) -> Outcome:
        self.seeds.append(seed)
        return Outcome("counted", "odd" if seed == 1 else "")


def test_a_run_goes_on_with_the_next_seed_and_ends_at_its_limit(tmp_path: Path) -> None:
    figure, record = Counting(), Record()
    tried(figure, tmp_path / "a", record, 2, 1.0, Until(None))
    tried(figure, tmp_path / "b", record, 3, 1.0, Until(None))
    assert figure.seeds == [2, 3, 4]
    tried(figure, tmp_path / "c", record, 3, 1.0, Until(0.0))
    assert figure.seeds == []
    assert [one.seeds for one in record.batches] == [(0, 2), (2, 5)]
    assert [fault.seed for fault in record.faults] == [1]


def test_children_find_the_calendars_of_a_markets_file(tmp_path: Path) -> None:
    markets = empty(tmp_path).folder / "markets.toml"
    [one], [other] = load_markets(markets), load_markets(markets)
    assert one.calendar is other.calendar


def test_a_signal_ends_the_campaign_after_the_trial_under_way() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        until = Until(None)
        until.listen()
        assert not until.reached()
        os.kill(os.getpid(), signal.SIGTERM)
        assert until.reached()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_recorded_fault_names_files_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    found = without_folders(Outcome("kept", f"{tmp_path / 'F7' / 'work' / 'dagster.yaml'} is no YAML."), tmp_path)
    assert found == Outcome("kept", "…/dagster.yaml is no YAML.")


def test_a_lost_a_doubled_and_a_half_written_asset_are_found() -> None:
    before = {"forecasts": (2, "a"), "ranks": (2, "a"), "mart.prices": (1, "a")}
    after = {"forecasts": (4, "b"), "ranks": (4, "b"), "mart.prices": (2, "b")}
    counted = {"prices": (2, "b"), "coverage": (2, "b")}
    assert partial(before, before, after) == partial(after, before, after) == []
    assert partial(after | {"ranks": (2, "a")}, before, after) == ["forecasts"]
    assert partial(after | {"mart.prices": (3, "c")}, before, after) == ["mart"]
    assert (
        partial({"prices": (2, "b"), "coverage": (1, "a")}, {"prices": (1, "a"), "coverage": (1, "a")}, counted) == []
    )
    assert partial({"prices": (1, "a"), "coverage": (2, "b")}, {"prices": (1, "a"), "coverage": (1, "a")}, counted) == [
        "coverage"
    ]
    assert different(after | {"ranks": (8, "c")}, after) == ["ranks (8 and 4 rows)"]
    assert different({"prices": NOTHING}, {}) == []


def replaced(folder: Path, *, flushed: bool, folder_flushed: bool, survives: Survives) -> bytes:
    """What a file holds after a power cut that follows its replacement by a new file."""
    path, new = folder / "mart", folder / "mart.new"
    path.write_bytes(b"old")
    disk = Disk(folder)
    steps = [Step("create", new), Step("write", new, data=b"new")]
    steps += [Step("flush", new)] if flushed else []
    steps += [Step("rename", new, path)]
    steps += [Step("flush", folder)] if folder_flushed else []
    for step in steps:
        disk.take(step)
    return disk.after_power_cut(survives, random.Random(1))[path]


@pytest.mark.parametrize(
    ("flushed", "folder_flushed", "survives", "content"),
    [
        (True, True, "what was flushed", b"new"),
        (True, False, "what was flushed", b"old"),
        (True, False, "what was flushed, and every name", b"new"),
        (False, False, "what was flushed, and every name", b""),
        (False, False, "everything", b"new"),
    ],
)
def test_a_power_cut_forgets_what_was_not_flushed(
    tmp_path: Path, *, flushed: bool, folder_flushed: bool, survives: Survives, content: bytes
) -> None:
    assert replaced(tmp_path, flushed=flushed, folder_flushed=folder_flushed, survives=survives) == content


def test_a_torn_write_leaves_a_part_of_its_data(tmp_path: Path) -> None:
    path = tmp_path / "wal"
    path.write_bytes(b"before")
    written = "".join(f"\\x{byte:02x}" for byte in b"0123456789")
    tear(Call("pwrite64", path, 1, f'7<{path}>, "{written}", 10, 6) = ?'), random.Random(2))
    assert path.read_bytes().startswith(b"before0")
    assert len(path.read_bytes()) < 16


def test_one_bit_is_flipped(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3))
    flip(path, 1, 4)
    assert path.read_bytes() == b"\x00\x10\x00"


def test_calls_are_numbered_by_thread_and_name(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        f'7 pwrite64(4<{tmp_path}/a>, "x", 1, 0 <unfinished ...>\n'
        f'8 pwrite64(5<{tmp_path}/b>, "x", 1, 0) = 1\n'
        "7 <... pwrite64 resumed>) = 1\n"
        '7 pwrite64(1</elsewhere>, "x", 1, 0) = 1\n'
        f'7 pwrite64(4<{tmp_path}/a>, "y", 1, 1) = 1\n'
        f'7 rename("{tmp_path}/a", "{tmp_path}/c") = 0\n',
        encoding="utf-8",
    )  # fmt: skip
    found = [(call.name, call.path.name, call.number) for call in calls(log, tmp_path)]
    assert found == [("pwrite64", "a", 1), ("pwrite64", "b", 1), ("pwrite64", "a", 3), ("rename", "a", 1)]


def test_a_call_that_was_resumed_is_read_although_its_result_is_aligned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = (
        "lseek(7</f/a>, 5, SEEK_SET <unfinished ...>",
        "<... lseek resumed>)   = 5",
        'write(7</f/a>, "\\x61", 1) = 1',
    )
    log.write_text("".join(f"12 {line}\n" for line in lines), encoding="utf-8")
    assert steps(log, Path("/f")) == ([Step("write", Path("/f/a"), data=b"a", number=5)], -1)
