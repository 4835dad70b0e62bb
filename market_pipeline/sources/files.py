"""Bars from a folder of CSV or Parquet files: long ones, or one per symbol as Yahoo and yfinance write them."""

import datetime as dt
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError
from market_pipeline.markets import Market
from market_pipeline.panel import Days, Grid
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, outcome_of
from market_pipeline.sources.rebasing import as_traded, without_empty_rows

SPELLINGS = {
    "ticker": "symbol", "datetime": "date", "timestamp": "date", "stock_splits": "splits", "split": "splits",
    "dividend": "dividends", "adjclose": "adj_close", "adjusted_close": "adj_close",
}  # fmt: skip
REQUIRED = ("date", "open", "high", "low", "close", "volume")
NUMBERS = (*REQUIRED[1:], "adj_close", "dividends", "splits")
SUFFIXES = (".csv", ".csv.gz", ".parquet")
INTERVAL = re.compile(r"[-_ ](1d|1day|daily|yfinance-multiindex|yfinance|yahoo)$", re.IGNORECASE)

NOISE = 1e-6
"""Relative change of adj_close / close that is rounding, not a dividend."""


class FilesSource:
    """The folder that MARKET_PIPELINE_FILES names."""

    name = "files"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def problem(self) -> str | None:
        if not self.folder.is_dir():
            return f"The folder {self.folder} does not exist. Set MARKET_PIPELINE_FILES to the folder of your files."
        if not self._files():
            return f"{self.folder} holds no {', '.join(SUFFIXES)} file. Put long or per-symbol files there."
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        if problem := self.problem():
            raise SourceError(problem)
        frames, broken, known = [], dict[str, str](), set[str]()
        for path in self._files():
            try:
                rows = read_file(path)
            except SourceError as error:
                symbol = symbol_of(path)
                if symbol not in symbols:
                    raise
                broken[symbol] = str(error)
                continue
            known |= set(pc.unique(rows["symbol"]).to_pylist())
            wanted = rows.filter(pc.is_in(rows["symbol"], pa.array(symbols, pa.string())))
            if wanted.num_rows:
                frames.append(bars_of(wanted.to_pandas()))
        bars = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(BAR_COLUMNS))
        asked = (bars["session"] >= pd.Timestamp(first)) & (bars["session"] <= pd.Timestamp(last))
        bars = bars[asked].reset_index(drop=True)
        found = {
            str(symbol): rows.to_numpy().astype("datetime64[D]") for symbol, rows in bars.groupby("symbol")["session"]
        }
        outcomes = tuple(
            self._outcome(market, symbol, found.get(symbol, np.zeros(0, "datetime64[D]")), known, broken, first, last)
            for symbol in symbols
        )
        return Fetched(bars, outcomes)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.name.lower().endswith(SUFFIXES))

    def _outcome(
        self,
        market: Market,
        symbol: str,
        found: Days,
        known: set[str],
        broken: dict[str, str],
        first: dt.date,
        last: dt.date,
    ) -> Outcome:
        if symbol in broken:
            return Outcome(symbol, "unavailable", broken[symbol])
        if symbol not in known:
            near = get_close_matches(symbol, sorted(known), n=3)
            hint = f"; near it: {', '.join(near)}" if near else ""
            return Outcome(symbol, "unknown_symbol", f"no file in {self.folder} has it{hint}")
        return outcome_of(market, symbol, found, first, last)


def symbol_of(path: Path) -> str:
    """The symbol that a per-symbol file is named after: SOL1-USD-1d.csv holds SOL1-USD."""
    stem = path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]
    return INTERVAL.sub("", stem)


def read_file(path: Path) -> pa.Table:
    """One file's rows: symbol, session, and those of NUMBERS that it has, as float64; raises SourceError."""
    try:
        rows = pq.read_table(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} cannot be read: {reason}. Mend or remove the file.") from None
    names = [_spelling(name) for name in rows.column_names]
    rows = rows.rename_columns(names).select(sorted({name for name in names if name in ("symbol", "date", *NUMBERS)}))
    if missing := [name for name in REQUIRED if name not in rows.column_names]:
        raise SourceError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(names)}. A file needs "
            f"{', '.join(REQUIRED)}, and symbol unless it is named after its one symbol."
        )
    symbol = (
        rows["symbol"].cast(pa.string()) if "symbol" in rows.column_names else pa.repeat(symbol_of(path), len(rows))
    )
    columns = {name: _numbers(rows[name]) for name in NUMBERS if name in rows.column_names}
    return pa.table({"symbol": symbol, "session": _days(rows["date"], path)} | columns)


def bars_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole symbols as bars in BAR_COLUMNS, as traded."""
    rows = rows.sort_values(["symbol", "session"], kind="stable", ignore_index=True)
    rows["session"] = rows["session"].astype("datetime64[s]")
    rows["split_ratio"] = rows["splits"].where(rows["splits"] > 0, 1.0) if "splits" in rows else 1.0
    if "dividends" in rows:
        rows["dividend"] = rows["dividends"].fillna(0.0)
    else:
        rows["dividend"] = implied_dividends(rows) if "adj_close" in rows else 0.0
    bars = without_empty_rows(rows[list(BAR_COLUMNS)])
    splits = bars.loc[bars["split_ratio"] != 1, ["symbol", "session", "split_ratio"]]
    return as_traded(bars, splits)


def implied_dividends(rows: pd.DataFrame) -> np.ndarray:
    """The dividends that adj_close implies, for rows sorted by symbol and session.

    Backwards adjustment multiplies the past by 1 - dividend / last close, so where adj_close / close steps up by more
    than NOISE, dividend = (1 - factor before / factor after) x the close before.
    """
    priced = rows["close"].notna() & rows["adj_close"].notna()
    bars = rows[priced]
    factor = (bars["adj_close"] / bars["close"]).to_numpy()
    before = np.concatenate([[np.nan], factor[:-1]])
    same = (bars["symbol"] == bars["symbol"].shift()).to_numpy()
    share = np.where(same, 1 - before / factor, 0.0)
    dividend = np.zeros(len(rows))
    dividend[priced.to_numpy()] = np.where(share > NOISE, share * bars["close"].shift().to_numpy(), 0.0)
    return dividend


def _read_csv(path: Path) -> pa.Table:
    """All columns as text; yfinance's three header rows become one."""
    lines = pv.read_csv(
        path, read_options=pv.ReadOptions(autogenerate_column_names=True), convert_options=_as_text(path)
    )
    header = [str(value or "") for value in lines.slice(0, 1).to_pylist()[0].values()]
    second = [str(value or "") for value in lines.slice(1, 1).to_pylist()[0].values()] if lines.num_rows > 1 else []
    if header[0] == "Price" and second[:1] == ["Ticker"]:
        rows = lines.slice(3).rename_columns(["Date", *header[1:]])
        return rows.append_column("symbol", pa.repeat(second[1], rows.num_rows))
    return lines.slice(1).rename_columns(header)


def _as_text(path: Path) -> pv.ConvertOptions:
    """Text for every column: what is not a number is the quarantine's business, not the parser's."""
    columns = pv.open_csv(path, read_options=pv.ReadOptions(autogenerate_column_names=True)).schema.names
    return pv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True)


def _spelling(name: str) -> str:
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return SPELLINGS.get(plain, plain)


def _numbers(column: pa.ChunkedArray) -> Grid:
    """Float64; NaN for what is no number."""
    numbers: Grid
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        numbers = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
    else:
        numbers = column.to_numpy().astype(np.float64)
    return numbers


def _days(column: pa.ChunkedArray, path: Path) -> pa.Array:
    """The local day of each row: of a time with an offset the day it shows, not the day it is in UTC."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return (
            pc.local_timestamp(column).cast(pa.date32())
            if getattr(column.type, "tz", None)
            else column.cast(pa.date32())
        )
    days = pd.to_datetime(column.to_pandas().str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    if days.isna().any():
        row = int(days.isna().to_numpy().argmax())
        raise SourceError(
            f"{path}: row {row + 1} has the date {column[row].as_py()!r}, which is not of the form 2024-01-31. "
            "Write dates year first, then month, then day."
        )
    return pa.array(days.to_numpy().astype("datetime64[D]"), pa.date32())
