"""Files with more rows than are taken at once, through the asset: the same tables as in one piece."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from market_pipeline.prices import assets
from market_pipeline.sources.files import AT_ONCE, FilesSource
from market_pipeline_tests.house import House

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
        monkeypatch.setattr(assets, "AT_ONCE", at_once)
        source = FilesSource(tmp_path / "files", at_once=at_once)
        house = House(tmp_path / str(at_once), TOML, source=source)
        assert len(list(source.batches(house.market, house.market.symbols, FIRST, LAST))) == (1 if tables == [] else 5)
        result = house.materialise(["prices"], FIRST, LAST)
        done = result.asset_materializations_for_node("crypto__prices")[-1]
        [note] = done.metadata["left out of the source"].value
        assert "line 21 has the date '2024/x" in note
        assert done.metadata["outcomes"].value == {"ok": 5, "partial": 1, "unknown_symbol": 1}
        read = house.warehouse.read
        tables.append([read(f"select {columns} from {name} order by all") for name, columns in TABLES.items()])
    assert tables[0] == tables[1]
