"""The published mart, in a folder that machines share; cluster/test_store_mart.py has the same on an object store.

Each machine is a folder of its own.
"""

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from market_pipeline import mart
from market_pipeline.cli.main import main
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError, StoreError
from market_pipeline.storage import publication
from market_pipeline.storage.publication import FOLDER, Publication, open_publication, published
from market_pipeline.storage.store import Store, store_at
from market_pipeline_tests.mart.small_mart import FORECASTS, LEADERBOARD, PRICES, SIGNALS, report_of

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
ROWS = 3_000


@pytest.fixture
def address(tmp_path: Path) -> str:
    """MARKET_PIPELINE_STORE."""
    return str(tmp_path / "shared")


@pytest.fixture
def files(address: str) -> Store:
    return store_at(address)


@pytest.fixture(autouse=True)
def reader(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has nothing but the store."""
    for name in list(os.environ):
        if name.startswith("MARKET_PIPELINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MARKET_PIPELINE_STORE", address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def machine(address: str, folder: Path) -> Publication:
    return open_publication(Settings(home=folder, source="simulated", store=address))


def make(there: Publication, number: int) -> None:
    """A mart whose rows all have one number, with its report."""
    there.file.unlink(missing_ok=True)
    with duckdb.connect(str(there.file)) as connection:
        connection.execute("create table meta as select 1 as published_at")
        connection.execute(f"create table numbers as select {number} as number from range({ROWS})")
    there.report_file.write_text(f"report {number}", encoding="utf-8")


def publish(there: Publication, number: int, moment: dt.datetime = NOW) -> None:
    with there.turn() as earlier:
        make(there, number)
        assert there.put(moment, earlier)


def number_read() -> int:
    """What a reader finds; all rows are of one mart."""
    [(number, rows)] = mart.sql("select number, count(*) as n from numbers group by 1").itertuples(index=False)
    assert rows == ROWS
    return int(number)


def names(files: Store) -> list[str]:
    return [stored.name for stored in files.list(FOLDER)]


def test_a_reader_needs_the_store_alone_and_copies_each_mart_once(address: str, files: Store, tmp_path: Path) -> None:
    with pytest.raises(MarketPipelineError, match=r"No mart is published at .*mart\. Fill it first"):
        number_read()
    publish(machine(address, tmp_path / "one"), 1)
    assert number_read() == 1
    copy = mart.path()
    assert copy.is_relative_to(tmp_path / "cache")
    before = copy.stat()
    assert number_read() == 1
    assert (copy.stat().st_ino, copy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    publish(machine(address, tmp_path / "two"), 2, NOW + SECOND)
    assert number_read() == 2
    assert files.get("report.html") == b"report 2"


def test_the_machine_before_a_new_mart_has_the_one_of_another_machine(address: str, tmp_path: Path) -> None:
    one, two = machine(address, tmp_path / "one"), machine(address, tmp_path / "two")
    with one.turn() as earlier:
        assert earlier is None
        assert not one.file.exists()
    publish(one, 1)
    with two.turn() as earlier:
        assert earlier == NOW
        assert two.file.read_bytes() == one.file.read_bytes()


def test_a_publisher_that_lasts_does_not_replace_a_newer_one(address: str, tmp_path: Path) -> None:
    one, two = machine(address, tmp_path / "one"), machine(address, tmp_path / "two")
    with one.turn() as earlier:
        make(one, 1)
        publish(two, 2, NOW + SECOND)
        assert not one.put(NOW, earlier)  # it has to publish again
    assert number_read() == 2


def test_a_machine_whose_clock_is_behind_publishes_all_the_same(address: str, tmp_path: Path) -> None:
    publish(machine(address, tmp_path / "one"), 1)
    publish(machine(address, tmp_path / "two"), 2, NOW - dt.timedelta(hours=1))
    assert number_read() == 2


def test_a_changed_or_cut_mart_is_refused_until_the_next_one(address: str, files: Store, tmp_path: Path) -> None:
    there = machine(address, tmp_path / "one")
    publish(there, 1)
    [name] = names(files)
    whole = files.get(name)
    for damaged in (whole[:-1], whole[:-1] + b"x"):
        files.put(name, damaged)
        with pytest.raises(StoreError, match="its content has another digest"):
            number_read()
    publish(there, 2, NOW + SECOND)
    assert number_read() == 2


def test_a_mart_that_has_gone_is_looked_for_again(
    address: str, files: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list and the copy, the next one comes and this one goes."""
    there = machine(address, tmp_path / "one")
    publish(there, 1)
    publish_then_copy = publication.PublishedInStore._copied

    def replaced_meanwhile(self: publication.PublishedInStore, stored: publication.Stored) -> Path | None:
        monkeypatch.setattr(publication.PublishedInStore, "_copied", publish_then_copy)
        publish(there, 2, NOW + SECOND)
        files.remove(stored.name)
        return self._copied(stored)

    monkeypatch.setattr(publication.PublishedInStore, "_copied", replaced_meanwhile)
    assert number_read() == 2


def test_old_marts_go_once_a_newer_one_is_there_for_long_and_a_reader_keeps_its_own(
    address: str, files: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = machine(address, tmp_path / "one")
    publish(there, 1)
    with duckdb.connect(str(mart.path()), read_only=True) as connection:
        publish(there, 2, NOW + SECOND)
        assert len(names(files)) == 2
        monkeypatch.setattr(publication, "KEPT", -dt.timedelta(minutes=1))
        publish(there, 3, NOW + 2 * SECOND)
        assert number_read() == 3
        assert len(names(files)) == 1
        assert [path.name for path in mart.path().parent.glob("*.duckdb")] == [mart.path().name]
        assert connection.execute("select distinct number from numbers").fetchall() == [(1,)]


def test_what_a_killed_publisher_left_is_no_mart(address: str, files: Store, tmp_path: Path) -> None:
    files.put(f"{FOLDER}/20990101T000000.000000Z-{'0' * 64}.duckdb.17.new", b"half")
    files.put(f"{FOLDER}/notes.txt", b"of somebody")
    publish(machine(address, tmp_path / "one"), 1)
    assert number_read() == 1
    assert [name[:20] for name in names(files)] == [
        f"{FOLDER}/20260302T120000",
        f"{FOLDER}/20990101T000000",
        "mart/notes.txt",
    ]


READ_ON = """
import sys
from market_pipeline_tests.storage.test_publication import number_read
last = 0
while True:
    number = number_read()
    assert number >= last, (number, last)
    last = number
    print(number, flush=True)
"""


def test_readers_see_one_whole_mart_after_the_other_during_20_publications(address: str, tmp_path: Path) -> None:
    one, two = machine(address, tmp_path / "one"), machine(address, tmp_path / "two")
    publish(one, 1)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ_ON],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache {which}")},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for which in (1, 1, 2)
    ]  # fmt: skip
    seen: list[list[str]] = [[] for _ in readers]

    def follow(which: int) -> None:
        seen[which] += iter_lines(readers[which])

    try:
        for other in readers:
            assert other.stdout is not None
            assert other.stdout.readline() == "1\n", other.communicate()[1]
        followers = [threading.Thread(target=follow, args=(which,)) for which in range(len(readers))]
        for follower in followers:
            follower.start()
        for number in range(2, 22):
            publish((one, two)[number % 2], number, NOW + number * SECOND)
        publish(one, 99, NOW + 99 * SECOND)
        for follower in followers:
            follower.join(60)
        assert all(numbers[-1] == "99" for numbers in seen), [reader.stderr for reader in readers]
        assert all(len(set(numbers)) > 2 for numbers in seen)
    finally:
        for other in readers:
            other.kill()
            other.communicate()


def iter_lines(reader: subprocess.Popen[str]) -> Iterator[str]:
    """What a reader prints, until it has read the last mart or has failed."""
    assert reader.stdout is not None
    for line in reader.stdout:
        yield line.strip()
        if line == "99\n":
            return


def test_every_command_that_reads_works_on_a_machine_with_the_store_alone(address: str, tmp_path: Path) -> None:
    there = machine(address, tmp_path / "one")
    with there.turn() as earlier:
        made = report_of(tmp_path, PRICES, FORECASTS, SIGNALS, LEADERBOARD).with_name("mart.duckdb")
        made.replace(there.file)
        there.report_file.write_text("report", encoding="utf-8")
        there.put(NOW, earlier)
    for line, printed in {"forecast AAA": "AAA", "forecast": "AAA", "verdicts": "linear"}.items():
        done = CliRunner().invoke(main, line.split())
        assert done.exit_code == 0, done.output
        assert printed in done.output
    found = CliRunner().invoke(main, ["doctor"]).output
    assert "this machine reads the published mart of a store" in found
    assert "published by version 9.8.7" in found
    refused = CliRunner().invoke(main, ["run"])
    assert refused.exit_code == 1
    assert "With the store alone, the published mart can be read" in " ".join(refused.output.split())


def test_the_folder_of_copies_is_that_of_the_setting(address: str, tmp_path: Path) -> None:
    variables = {"MARKET_PIPELINE_STORE": address, "MARKET_PIPELINE_HOME": str(tmp_path / "here")}
    assert published(variables) == open_publication(Settings(home=tmp_path / "here", source="yahoo", store=address))
    assert published({"MARKET_PIPELINE_HOME": str(tmp_path)}).newest() == tmp_path / "mart.duckdb"
