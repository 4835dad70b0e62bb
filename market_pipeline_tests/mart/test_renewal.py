"""A mart that takes over what did not change is the mart that would have been written as a whole."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.mart import renewal
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline.mart.renewal import PARTITIONED
from market_pipeline.storage.catalog import MART
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.publication import digest_beside
from market_pipeline_tests.pipeline import SMALL, Pipeline

START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 20), dt.date(2024, 3, 15)
NOW = dt.datetime(2024, 3, 16, tzinfo=dt.UTC)
OF_A_PUBLICATION = ("meta", "changes", "earlier_signals")
"""Tables that depend on the publication before."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("renewal"), SMALL + "[stocks.portfolios]\nboth = 'equal'\n")
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), dt.date(2024, 2, 1), dt.date(2024, 3, 1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    return pipeline


class Home:
    """A warehouse with the pipeline's content, and its published mart."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.market, self.folder = pipeline.market, folder
        self.original = DuckDBFile(pipeline.settings.warehouse_file, "simulated")
        shutil.copyfile(self.original.path, folder / "warehouse.duckdb")
        self.warehouse = DuckDBFile(folder / "warehouse.duckdb", "simulated")
        self.mart = folder / "mart.duckdb"
        self.publish()

    def publish(self) -> int:
        """Publish the mart; the rows that it appended to the one before, 0 if it was written as a whole."""
        publish(self.warehouse, [self.market], self.mart, NOW)
        appended: int = query(self.mart, "select max(appended_rows) as n from meta")["n"][0].as_py()
        return appended

    def keep(self, table: str, first: int, last: int, share: int) -> None:
        """Replace the partitions with these places in a table by a tenth to all of the rows that they had once."""
        declared = next(one for one in PARTITIONED if one.name == table)
        rows = self.original.read(f"select * exclude (market) from {table} order by all")
        days = sorted(set(rows[declared.partition].to_pylist()))
        if days:
            ends = sorted((days[first % len(days)], days[last % len(days)]))
            some = rows.filter(pa.array([number % 10 <= share for number in range(rows.num_rows)]))
            self.warehouse.replace(table, some, "stocks", *ends)

    def whole(self) -> dict[str, pd.DataFrame]:
        """What a mart has that is written as a whole."""
        with tempfile.TemporaryDirectory() as folder:
            publish(self.warehouse, [self.market], Path(folder, "mart.duckdb"), NOW)
            return contents(Path(folder, "mart.duckdb"))


def contents(mart: Path) -> dict[str, pd.DataFrame]:
    """All tables, the rows of what is looked up in the order in which they lie: by symbol, before the partition."""
    found = {}
    for name in MART.keys() - set(OF_A_PUBLICATION):
        [table] = [one for one in PARTITIONED if one.name == name] or [MART[name]]
        order = table.order or table.key
        above = ["market", *(order[: order.index(table.partition)] if table.partition in order else order)]
        found[name] = query(mart, f"from {name}").to_pandas().sort_values(above, kind="stable", ignore_index=True)
    return found


def assert_equal(found: Mapping[str, pd.DataFrame], expected: Mapping[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        pd.testing.assert_frame_equal(found[name], rows, check_exact=True, obj=name)


WRITES = st.tuples(
    st.sampled_from([table.name for table in PARTITIONED]), st.integers(0, 50), st.integers(0, 50), st.integers(0, 9)
)


@settings(max_examples=2, deadline=None)
@given(rounds=st.lists(st.lists(WRITES, max_size=6), min_size=1, max_size=2))
def test_a_renewed_mart_is_the_whole_one(pipeline: Pipeline, rounds: list[list[tuple[str, int, int, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(renewal, "APPENDED", 1e9)
        home = Home(pipeline, Path(folder))
        for writes in rounds:
            for table, first, last, share in writes:
                home.keep(table, first, last, share)
            home.publish()
            assert_equal(contents(home.mart), home.whole())


def test_a_changed_partition_of_any_table_is_all_that_is_written(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "APPENDED", 1e9)
    home = Home(pipeline, tmp_path)
    before = home.publish()
    assert before == 0
    for table in PARTITIONED:
        home.keep(table.name, -1, -1, 8)
        newest = f"select count(*) as n from {table.name} group by {table.partition} order by {table.partition} desc"
        stored = home.warehouse.read(f"{newest} limit 1")["n"].to_pylist()
        after = home.publish()
        assert after - before == sum(stored), table.name
        before = after
    assert_equal(contents(home.mart), home.whole())


def test_a_mart_of_which_much_was_replaced_is_written_as_a_whole(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(pipeline, tmp_path)
    rows = sum(query(home.mart, f"select count(*) as n from {table.name}")["n"][0].as_py() for table in PARTITIONED)
    monkeypatch.setattr(renewal, "APPENDED", 100 / rows)
    appended = []
    for _ in range(4):
        home.keep("forecasts", -1, -1, 9)
        appended.append(home.publish())
    assert appended == [48, 96, 0, 48]
    assert_equal(contents(home.mart), home.whole())


def test_a_restored_warehouse_is_published_as_a_whole(pipeline: Pipeline, tmp_path: Path) -> None:
    home = Home(pipeline, tmp_path)
    shutil.copyfile(home.warehouse.path, tmp_path / "backup.duckdb")
    home.keep("coverage", -1, -1, 5)
    home.publish()
    shutil.copyfile(tmp_path / "backup.duckdb", home.warehouse.path)
    assert home.publish() == 0
    assert_equal(contents(home.mart), home.whole())


def test_what_another_program_wrote_is_published(pipeline: Pipeline, tmp_path: Path) -> None:
    home = Home(pipeline, tmp_path)
    with duckdb.connect(str(home.warehouse.path)) as connection:
        connection.execute("delete from coverage where session = '2024-03-07'")
    home.publish()
    assert_equal(contents(home.mart), home.whole())


@pytest.mark.parametrize("damage", ["a byte", "its end", "no digest"])
def test_a_damaged_mart_is_written_as_a_whole(pipeline: Pipeline, tmp_path: Path, damage: str) -> None:
    home = Home(pipeline, tmp_path)
    home.keep("coverage", -1, -1, 8)
    content = bytearray(home.mart.read_bytes())
    if damage == "no digest":
        digest_beside(home.mart).unlink()
    elif damage == "its end":
        home.mart.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) * 2 // 3] ^= 8
        home.mart.write_bytes(content)
    assert home.publish() == 0
    assert_equal(contents(home.mart), home.whole())


def test_a_renewed_mart_has_its_descriptions_and_views(pipeline: Pipeline, tmp_path: Path) -> None:
    home = Home(pipeline, tmp_path)
    described = "select table_name, column_name, comment from duckdb_columns() where not internal order by all"
    before = query(home.mart, described)
    home.keep("forecasts", -1, -1, 8)
    assert home.publish() > 0
    assert query(home.mart, described) == before
    assert query(home.mart, "from forecast_prices limit 1").num_rows == 1
