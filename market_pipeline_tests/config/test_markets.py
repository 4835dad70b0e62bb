import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.config.markets import Market, load_markets, packaged_config
from market_pipeline.errors import ConfigurationError

GOOD = '[stocks]\ncalendar = "XNYS"\nstart = 2018-01-02\nsymbols = ["AAPL", "MSFT"]\n'


def load(folder: Path, toml: str) -> tuple[Market, ...]:
    path = folder / "markets.toml"
    path.write_text(toml, encoding="utf-8")
    return load_markets(path)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (GOOD.replace("XNYS", "NYSE2"), "'NYSE2' is not a calendar of exchange_calendars"),
        (GOOD.replace('["AAPL", "MSFT"]', "[]"), "list of symbols is empty"),
        (GOOD.replace('"MSFT"', '"AAPL"'), "'AAPL' is listed twice"),
        (GOOD.replace('"MSFT"', "7"), "must be a list of names"),
        (GOOD.replace("2018-01-02", '"2018-01-02"'), "must be a date such as 2018-01-02 (no quotes)"),
        (GOOD.replace("2018-01-02", "2099-01-02"), "not in the past"),
        (GOOD + "colour = 1\n", "unknown key 'colour'. The keys are"),
        (GOOD.replace("[stocks]", '["a b"]'), "a market's name is letters"),
        (GOOD.replace("start = 2018-01-02\n", ""), "'start' is missing"),
        (GOOD + "schedule_hour = 24\n", "schedule_hour is 24"),
        (GOOD.replace("XNYS", "24/7") + "schedule_hour = 2\n", "an hour from 3 to 23 of UTC"),
        (GOOD + "[stocks.listed]\nTSLA = 2019-01-02\n", "listed names 'TSLA', which is not among the symbols"),
        ("start = 3\n" + GOOD, "stands outside a market"),
        ("[stocks", "is not valid TOML"),
        ("", "declares no market"),
    ],
)
def test_a_file_that_cannot_be_says_where_why_and_how_to_mend_it(tmp_path: Path, toml: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, toml)
    assert words in str(refused.value)
    assert "markets.toml" in str(refused.value)


def test_a_missing_file_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MARKET_PIPELINE_CONFIG"):
        load_markets(tmp_path / "gone.toml")


@pytest.mark.parametrize("source", ["yahoo", "simulated"])
def test_the_packaged_universes_load(source: str) -> None:
    stocks, crypto = load_markets(packaged_config(source))
    assert (stocks.calendar_name, crypto.calendar_name) == ("XNYS", "24/7")


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
