"""Files with more rows than are taken at once, through the asset: the same tables as in one piece."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.prices import load
from market_pipeline.prices.load import Run
from market_pipeline.prices.restatements import Changes
from market_pipeline.prices.validation import Batch
from market_pipeline.sources.files import AT_ONCE, FilesSource
from market_pipeline.storage.tables.prices import PRICES
from market_pipeline.storage.transaction import Transaction
from market_pipeline_tests.pipeline import Pipeline

NAMES = [f"S{number}" for number in range(6)]
TOML = f'[crypto]\ncalendar = "24/7"\nstart = 2024-01-01\nsymbols = {[*NAMES, "GONE"]}\n'.replace("'", '"')
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 3, 1)
TABLES = {
    "prices": "* exclude (fetched_at)", "quarantine": "* exclude (fetched_at)",
    "outcomes": "* exclude (asked_at)", "coverage": "* exclude (asked_at)",
}  # fmt: skip


def write(folder: Path) -> None:
    folder.mkdir()
    days = pd.date_range(FIRST, LAST)
    rows = pd.concat(
        [pd.DataFrame({"symbol": name, "date": days, "close": 10.0 + place}) for place, name in enumerate(NAMES)]
    ).sort_values(["date", "symbol"])
    rows = rows.assign(open=rows["close"], high=rows["close"] + 1, low=rows["close"] - 1, volume=1)
    rows.loc[(rows["symbol"] == "S2") & (rows["date"] == days[5]), "high"] = 1.0
    lines = rows.to_csv(index=False).splitlines()
    lines[20] = lines[20].replace("2024-", "2024/x")
    (folder / "bars.csv").write_text("\n".join(lines))


def test_pieces_make_the_same_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "files")
    tables = []
    for at_once in (AT_ONCE, 70):
        monkeypatch.setattr(load, "AT_ONCE", at_once)
        source = FilesSource(tmp_path / "files", at_once=at_once)
        pipeline = Pipeline(tmp_path / str(at_once), TOML, source=source)
        assert len(list(source.batches(pipeline.market, pipeline.market.symbols, FIRST, LAST))) == (
            1 if tables == [] else 5
        )
        result = pipeline.materialise(["prices"], FIRST, LAST)
        done = result.asset_materializations_for_node("crypto__prices")[-1]
        [note] = done.metadata["left out of the source"].value
        assert "line 21 has the date '2024/x" in note
        assert done.metadata["outcomes"].value == {"ok": 5, "partial": 1, "unknown_symbol": 1}
        read = pipeline.warehouse.read
        tables.append([read(f"select {columns} from {name} order by all") for name, columns in TABLES.items()])
    assert tables[0] == tables[1]


STOCKS = """
[stocks]
calendar = "XNYS"
start = 2024-01-02
symbols = ["S0", "S1", "S2", "S3", "S4", "S5", "GONE"]
"""
START, END = dt.date(2024, 1, 2), dt.date(2024, 3, 28)
FEBRUARY = dt.date(2024, 2, 1), dt.date(2024, 2, 29)
VINTAGES = {
    "prices": "* exclude (fetched_at, known_at), known_at = fetched_at as late",
    "quarantine": "* exclude (fetched_at)",
    "restatements": "* exclude (known_at, old_known_at)",
    "coverage": "* exclude (asked_at)",
}


def bars_by_day() -> pd.DataFrame:
    """Bars of all days, with some whose rule depends on bars before them, or on the session after a closed day."""
    days = pd.bdate_range(START, END).union([pd.Timestamp("2024-02-17")])  # a Saturday
    rows = pd.MultiIndex.from_product([days, NAMES], names=["date", "symbol"]).to_frame(index=False)
    rows = rows.assign(close=10 + rows.index / 100)
    absurd = (rows["symbol"] == "S4") & rows["date"].isin(pd.to_datetime(["2024-01-16", "2024-02-05", "2024-03-11"]))
    rows.loc[absurd, "close"] *= 20
    rows = rows.assign(open=rows["close"], high=rows["close"] + 1, low=rows["close"] - 1, volume=1.0)
    rows.loc[(rows["symbol"] == "S2") & (rows["date"] == "2024-02-20"), "high"] = 1.0
    return rows


def of(rows: pd.DataFrame, symbol: str, first: str, last: str = "2024-12-31") -> pd.Series:
    return (rows["symbol"] == symbol) & rows["date"].between(pd.Timestamp(first), pd.Timestamp(last))


def vintages() -> list[tuple[pd.DataFrame, dt.date, dt.date]]:
    """What the file has when a run comes, and the sessions that the run asks for."""
    good = bars_by_day()
    early = good[~of(good, "S5", "2024-01-01") & ~of(good, "S3", "2024-02-06")]
    changed, doubled, tripled = good.copy(), good.copy(), good.copy()
    changed.loc[of(good, "S0", "2024-02-14", "2024-02-15"), "close"] += 0.5
    doubled.loc[of(good, "S1", "2024-01-01"), [*PRICES]] *= 2
    tripled.loc[of(good, "S2", "2024-01-01"), [*PRICES]] *= 3
    return [(early, *FEBRUARY), (changed, START, END), (doubled, START, END), (tripled, FEBRUARY[0], END)]


@pytest.fixture(scope="module")
def in_one_piece(tmp_path_factory: pytest.TempPathFactory) -> list[list[pa.Table]]:
    return tables_of(tmp_path_factory.mktemp("one"), ["date", "symbol"], 30, AT_ONCE)


def tables_of(folder: Path, order: list[str], row_group: int, at_once: int) -> list[list[pa.Table]]:
    """Each of VINTAGES after each of the runs."""
    (folder / "files").mkdir()
    pipeline = Pipeline(folder / "pipeline", STOCKS, source=FilesSource(folder / "files", at_once=at_once))
    found = []
    for rows, first, last in vintages():
        table = pa.Table.from_pandas(rows.sort_values(order), preserve_index=False)
        pq.write_table(table, folder / "files" / "bars.parquet", row_group_size=row_group)
        pipeline.compute(("prices",), first, last)
        read = pipeline.warehouse.read
        found.append([read(f"select {columns} from {name} order by all") for name, columns in VINTAGES.items()])
    return found


@pytest.mark.parametrize(
    ("order", "row_group", "at_once", "asked"),
    [
        (["symbol", "date"], 30, 100, "symbols"),
        (["date", "symbol"], 7, 12, "days"),
        (["date", "symbol"], 13, 24, "days"),
        (["date", "symbol"], 60, 60, "days"),
        (["date", "symbol"], 1000, 50, "symbols"),
    ],
)
def test_files_by_date_or_by_symbol_in_any_pieces_make_the_same_tables(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_one_piece: list[list[pa.Table]],
    order: list[str],
    row_group: int,
    at_once: int,
    asked: str,
) -> None:
    stored = list[tuple[int, dt.date, dt.date]]()
    plain = load.write

    def watched(
        transaction: Transaction, market: Market, batch: Batch, changes: Changes, part: Run, now: dt.datetime
    ) -> None:
        stored.append((len(batch.outcomes), part.first, part.last))
        plain(transaction, market, batch, changes, part, now)

    monkeypatch.setattr(load, "write", watched)
    found = tables_of(tmp_path, order, row_group, at_once)
    assert len(stored) > 8
    assert (len({symbols for symbols, _, _ in stored}) == 1) == (asked == "days")
    assert found == in_one_piece
    prices, quarantine, restatements, _ = in_one_piece[-1]
    assert {*quarantine["rule"].to_pylist()} == {
        "the day is a session of the calendar",
        "no price is above the high",
        "the close is within 5 times its recent median",
    }
    assert {*restatements["cause"].to_pylist()} == {"late", "vendor fix", "split"}
    assert {row["symbol"] for row in restatements.to_pylist() if row["cause"] == "late"} == {"S3"}
    assert prices.num_rows > 300
