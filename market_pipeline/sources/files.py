"""Bars from a folder of CSV or Parquet files: long ones, or one per symbol as Yahoo and yfinance write them.

Knows what the rows of files mean; no warehouse, no network, and no rule of what a good bar is.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.errors import SourceError
from market_pipeline.markets import Market
from market_pipeline.sources.file_rows import SUFFIXES, Head, Stamp, head_of, naming, rows_of, symbol_of, symbols_of
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, outcome_of
from market_pipeline.sources.rebasing import as_traded, without_empty_rows

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
        heads, broken = self._heads(symbols)
        tables, held = [], {head.owner for head in heads.values()}
        for stamp, head in heads.items():
            if head.owner is not None and head.owner not in symbols:
                continue
            try:
                tables.append(rows_of(stamp, symbols))
            except SourceError as error:
                if head.owner is None:
                    raise
                broken[head.owner] = str(error)
        rows = pa.concat_tables(tables).to_pandas() if tables else pd.DataFrame()
        bars = bars_of(rows[~rows["symbol"].isin(list(broken))]) if len(rows) else pd.DataFrame(columns=[*BAR_COLUMNS])
        held |= set(bars["symbol"].unique())
        bars = bars[bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))].reset_index(drop=True)
        days = {str(symbol): found.to_numpy() for symbol, found in bars.groupby("symbol")["session"]}
        nothing = np.zeros(0, "datetime64[s]")
        outcomes = tuple(
            outcome_of(market, symbol, days.get(symbol, nothing).astype("datetime64[D]"), first, last)
            if symbol in held and symbol not in broken
            else self._not_found(symbol, heads, broken)
            for symbol in symbols
        )
        return Fetched(bars, outcomes)

    def _files(self) -> list[Path]:
        """Hidden files and folders are other programs' copies and locks, not data."""
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.name.lower().endswith(SUFFIXES)
            and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            and path.is_file()
        )

    def _heads(self, symbols: Sequence[str]) -> tuple[dict[Stamp, Head], dict[str, str]]:
        """The head of each file, and the fault of each symbol whose own file has none that can be read."""
        heads, faults = dict[Stamp, Head](), dict[str, SourceError]()
        for path in self._files():
            try:
                with naming(path):
                    state = path.stat()
                stamp = Stamp(path, state.st_mtime_ns, state.st_size)
                heads[stamp] = head_of(stamp)
            except SourceError as error:
                faults[symbol_of(path)] = error
        one_each = any(head.owner for head in heads.values())
        for symbol, fault in faults.items():
            # Nothing can be read of it: among files of one symbol each, it is taken for another of them.
            if symbol not in symbols and not one_each:
                raise fault
        return heads, {symbol: str(fault) for symbol, fault in faults.items()}

    def _not_found(self, symbol: str, heads: Mapping[Stamp, Head], broken: Mapping[str, str]) -> Outcome:
        if symbol in broken:
            return Outcome(symbol, "unavailable", broken[symbol])
        known = set[str]().union(*(symbols_of(stamp) for stamp in heads))
        if unread := sorted(set(broken) - known):
            return Outcome(symbol, "unavailable", f"in no file that can be read, but {broken[unread[0]]}")
        near = get_close_matches(symbol, sorted(known), n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return Outcome(symbol, "unknown_symbol", f"no file in {self.folder} has it{hint}")


def bars_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole symbols, as rows_of gives them, of however many files, as bars in BAR_COLUMNS, as traded."""
    rows = rows.sort_values(["symbol", "session"], kind="stable", ignore_index=True)
    rows["session"] = rows["session"].astype("datetime64[s]")
    again = (rows["symbol"] == rows["symbol"].shift()) & (rows["session"] == rows["session"].shift())
    if again.any():
        rows = rows.drop_duplicates(ignore_index=True)
    rows["split_ratio"] = rows["splits"].where(rows["splits"] != 0, 1.0)
    rows["dividend"] = np.where(rows["told"], rows["dividends"], implied_dividends(rows))
    bars = without_empty_rows(rows[list(BAR_COLUMNS)])
    splits = bars.loc[(bars["split_ratio"] > 0) & (bars["split_ratio"] != 1), ["symbol", "session", "split_ratio"]]
    return as_traded(bars, splits)


def implied_dividends(rows: pd.DataFrame) -> np.ndarray:
    """The dividends that adj_close implies, for rows sorted by symbol and session; 0 without adj_close.

    Backwards adjustment multiplies the past by 1 - dividend / last close, so where adj_close / close steps up by more
    than NOISE, dividend = (1 - factor before / factor after) x the close before.
    """
    dividend = np.zeros(len(rows))
    priced = (rows["close"].notna() & rows["adj_close"].notna()).to_numpy()
    bars = rows[priced]
    factor = (bars["adj_close"] / bars["close"]).to_numpy()
    before = np.concatenate([[np.nan], factor])[: len(factor)]
    same = (bars["symbol"] == bars["symbol"].shift()).to_numpy()
    share = np.where(same, 1 - before / factor, 0.0)
    dividend[priced] = np.where(share > NOISE, share * bars["close"].shift().to_numpy(), 0.0)
    return dividend
