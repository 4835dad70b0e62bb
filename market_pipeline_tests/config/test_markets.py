"""A market: its sessions, closes, and the sessions a symbol should have."""

import datetime as dt
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import load_markets

GOOD = '[stocks]\ncalendar = "XNYS"\nstart = 2018-01-02\nsymbols = ["AAPL", "MSFT"]\n'


def load(folder: Path, toml: str) -> tuple[Market, ...]:
    path = folder / "markets.toml"
    path.write_text(toml, encoding="utf-8")
    return load_markets(path)


def test_a_european_market_is_five_lines(tmp_path: Path) -> None:
    lines = '[europe]\ncalendar = "XETR"\nstart = 2018-01-02\nsymbols = ["SAP.DE"]\nschedule_hour = 4\n'
    market = load(tmp_path, lines)[0]
    assert market.timezone == "Europe/Berlin"
    assert not np.isin(np.datetime64("2024-05-01"), market.sessions)  # Labour Day


def test_the_newest_closed_session_is_the_last_one_whose_local_day_is_over(tmp_path: Path) -> None:
    market = load(tmp_path, GOOD)[0]
    moments = {
        "2024-05-24 21:30": dt.date(2024, 5, 23),  # Friday after the close, before local midnight
        "2024-05-25 04:30": dt.date(2024, 5, 24),
        "2024-05-28 12:00": dt.date(2024, 5, 24),  # Tuesday after Memorial Day, before the close
    }
    for moment, newest in moments.items():
        assert market.newest_closed(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)) == newest


def test_steps_are_sessions_and_end_with_the_calendar(tmp_path: Path) -> None:
    market = load(tmp_path, GOOD)[0]
    friday = np.array(["2024-05-24"], "datetime64[D]")
    assert market.session_after(friday, 1)[0] == np.datetime64("2024-05-28")
    assert np.isnat(market.session_after(market.sessions[-1:], 1)[0])


def test_a_symbol_is_expected_between_its_listing_and_its_delisting_but_for_accepted_holes(tmp_path: Path) -> None:
    more = (
        "[stocks.listed]\nMSFT = 2020-01-02\n[stocks.delisted]\nAAPL = 2020-01-03\n"
        "[stocks.accepted_holes]\nMSFT = [2020-01-06]\n"
    )
    market = load(tmp_path, GOOD + more)[0]
    span = dt.date(2019, 12, 30), dt.date(2020, 1, 7)
    assert market.expected_sessions("AAPL", *span).astype(str).tolist() == [
        "2019-12-30", "2019-12-31", "2020-01-02", "2020-01-03",
    ]  # fmt: skip
    assert market.expected_sessions("MSFT", *span).astype(str).tolist() == ["2020-01-02", "2020-01-03", "2020-01-07"]


def test_a_market_is_frozen_and_a_copy_with_other_symbols_is_checked(tmp_path: Path) -> None:
    market = load(tmp_path, GOOD + "[stocks.listed]\nMSFT = 2020-01-02\n")[0]
    with pytest.raises(FrozenInstanceError):
        market.symbols = ("A",)  # type: ignore[misc]
    copy = replace(market, symbols=("AAPL", "GONE"))
    assert (copy.symbols, copy.listed, copy.calendar_name) == (("AAPL", "GONE"), market.listed, "XNYS")
    with pytest.raises(ValidationError):
        replace(market, symbols=(" ",))
