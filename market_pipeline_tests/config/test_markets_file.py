"""The markets file: what is read, and what is refused with which message."""

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import configured_markets, keys, load_markets, packaged_config
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

GOOD = '[stocks]\ncalendar = "XNYS"\nstart = 2018-01-02\nsymbols = ["AAPL", "MSFT"]\n'
SYMBOL = "must be a name of 1 to 64 printable characters, no space at either end"
TABLE = "must be a table of symbols, each with a date from 1970-01-01 on, without quotes, such as {"


def load(folder: Path, toml: str) -> tuple[Market, ...]:
    path = folder / "markets.toml"
    path.write_text(toml, encoding="utf-8")
    return load_markets(path)


def refused(folder: Path, toml: str) -> str:
    """The message that a file is refused with: one paragraph, with the file and without a library's own words."""
    with pytest.raises(ConfigurationError) as raised:
        load(folder, toml)
    message = str(raised.value)
    assert "markets.toml" in message
    assert "\n" not in message
    assert "pydantic" not in message
    assert "http" not in message
    return message


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (GOOD.replace("XNYS", "NYSE2"), "calendar is 'NYSE2', which is not a calendar of exchange_calendars"),
        (
            GOOD.replace("XNYS", "XTKS").replace("2018", "1980"),
            "calendar is 'XTKS', but exchange_calendars cannot make it from start, 1980",
        ),
        (
            GOOD.replace("XNYS", "ASEX"),
            "calendar is 'ASEX', but exchange_calendars cannot make it",
        ),
        (
            GOOD.replace('["AAPL", "MSFT"]', "[]"),
            f"symbols is [], but must be a list of one or more, each {SYMBOL[8:]}",
        ),
        (GOOD.replace('"MSFT"', '"AAPL"'), "symbols has 'AAPL' twice"),
        (GOOD.replace("2018-01-02", "2099-01-02"), "start is 2099-01-02, which is not in the past"),
        (GOOD + "colour = 1\n", "unknown key 'colour'. The keys are absurd_factor, accepted_holes, calendar, cost_bps"),
        (GOOD + 'name = "x"\n', "unknown key 'name'"),
        (GOOD + "calendar_name = 'XNYS'\n", "unknown key 'calendar_name'"),
        (GOOD.replace("[stocks]", '["a b"]'), "a market's name is up to 40 letters, digits and '_'"),
        (GOOD.replace("[stocks]", f"[{'a' * 41}]"), "a market's name is up to 40 letters"),
        (GOOD.replace("[stocks]", "[1st]"), "It begins with a letter"),
        (GOOD.replace("start = 2018-01-02\n", ""), "'start' is missing. It is a date from 1970-01-01 on"),
        (
            GOOD.replace("XNYS", "24/7") + "schedule_hour = 2\n",
            "schedule_hour is 2, but the daily run of a market that",
        ),
        (GOOD + "[stocks.listed]\nTSLA = 2019-01-02\n", "listed names 'TSLA', which is not among the symbols"),
        (GOOD + "[stocks.delisted]\nTSLA = 2019-01-02\n", "delisted names 'TSLA'"),
        (GOOD + "[stocks.accepted_holes]\nTSLA = [2019-01-02]\n", "accepted_holes names 'TSLA'"),
        (
            GOOD + "listed = {AAPL = 2020-01-02}\ndelisted = {AAPL = 2020-01-01}\n",
            "listed has 'AAPL' from 2020-01-02, but delisted",
        ),
        ("start = 3\n" + GOOD, "'start' is outside a market"),
        ("[stocks", "is not valid TOML"),
        ("a = " + "[" * 100_000, "is not valid TOML"),
        ("a = " + "1" * 5000, "is not valid TOML"),
        ("", "declares no market"),
    ],
)
def test_an_impossible_file_is_refused_with_place_cause_and_fix(tmp_path: Path, toml: str, message: str) -> None:
    assert message in refused(tmp_path, toml)


@pytest.mark.parametrize(
    ("key", "values", "wanted"),
    [
        ("start", ['"2018-01-02"', "2018-01-02T00:00:00", "0001-01-01", "1969-12-31", "2018"],
         "must be a date from 1970-01-01 on, without quotes, such as 2018-01-02."),
        ("calendar", ["3", "true", '["XNYS"]'], 'must be text in quotes, such as "XNYS".'),
        ("symbols", ['"AAPL"', "{AAPL = 1}"], "must be a list of one or more"),
        ("symbols", ['["A", " "]', '["A", ""]', '["A", " B"]', '["A", "B\\n"]', '["A", "B\\u0000"]', '["A", "\\u200b"]',
                     f'["A", "{"B" * 65}"]', '["A", 7]'], SYMBOL),
        ("schedule_hour", ["true", "24", "-1", "4.0", '"4"'], "must be a whole number at least 0 and at most 23"),
        ("settle_minutes", ["-600", '"x"', "1441", "nan"], "must be a whole number at least 0 and at most 1440"),
        ("absurd_factor", ["-5", "0", "1", "nan", "inf", "true", f"0x{'f' * 5000}"], "must be a number above 1"),
        ("exchange", ["3", '"Coinbase Pro"', '""'], "must be a name of small letters, digits and '_', such as \"coinb"),
        ("cross_check", ["3", '""', "false"], "must be a name of small letters, digits and '_', such as \"bitstamp\"."),
        ("cross_check_tolerance", ["0", "1", "nan", '"0.02"'], "must be a number above 0 and below 1, such as 0.02."),
        ("cost_bps", ["nan", "-1", "10000", "inf"], "must be a number at least 0 and below 10000, such as 10.0."),
        ("listed", ["[1]", "3"], f"{TABLE}NEW"),
        ("delisted", ['"2018-01-02"'], f"{TABLE}OLD"),
        ("listed", ["{AAPL = 2018-01-02T00:00:00}", "{AAPL = 3}", "{AAPL = 0001-01-01}"], "must be a date from 1970"),
        ("accepted_holes", ["{AAPL = 2018-01-02}"], "must be a list, each a date from 1970-01-01 on, without quotes"),
        ("accepted_holes", ["{AAPL = [3]}"], "must be a date from 1970-01-01 on, without quotes"),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_names_its_key_what_came_and_what_is_wanted(
    tmp_path: Path, key: str, values: list[str], wanted: str
) -> None:
    lines = "".join(line + "\n" for line in GOOD.splitlines() if not line.startswith(key))
    for value in values:
        message = refused(tmp_path, f"{lines}{key} = {value}\n")
        assert message.startswith(f"[stocks] in {tmp_path / 'markets.toml'}: {key}"), value
        assert wanted in message
        assert len(message) < 400


def test_a_message_shows_the_value_as_the_file_has_it(tmp_path: Path) -> None:
    assert "listed['AAPL'] is 2018-01-02T00:00:00, but" in refused(
        tmp_path, f"{GOOD}listed = {{AAPL = 2018-01-02T00:00:00}}"
    )
    assert "symbols[1] is 7, but" in refused(tmp_path, GOOD.replace('"MSFT"', "7"))


def spelled(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {spelled(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    if isinstance(value, str | bool):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else repr(value)


TEXT = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=80)
SIMPLE = st.one_of(
    st.booleans(), st.integers(), st.floats(), TEXT, st.dates(), st.datetimes(), st.times(),
    st.sampled_from(["XNYS", "24/7", "AAPL", "kraken", ""]),
)  # fmt: skip
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("AAPL"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400)
@given(key=st.sampled_from(sorted(keys())), value=VALUES)
def test_any_value_of_any_key_makes_a_market_or_an_error_that_names_the_key(key: str, value: Any) -> None:
    kept = {"calendar": '"24/7"', "start": "2018-01-02", "symbols": '["AAPL"]'} | {key: spelled(value)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "markets.toml"
        path.write_text("[m]\n" + "".join(f"{name} = {text}\n" for name, text in kept.items()), encoding="utf-8")
        try:
            [market] = load_markets(path)
        except ConfigurationError as error:
            named = f"markets.toml: {key}" in str(error) and str(error).isprintable()
        else:
            named = market.sessions.size > 0
        assert named


def test_a_missing_or_unreadable_file_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not exist. Check MARKET_PIPELINE_CONFIG"):
        load_markets(tmp_path / "gone.toml")
    with pytest.raises(ConfigurationError, match=r"cannot be read: Is a directory. Check MARKET_PIPELINE_CONFIG"):
        load_markets(tmp_path)


@pytest.mark.parametrize("source", ["yahoo", "simulated"])
def test_the_packaged_universes_load(source: str) -> None:
    stocks, crypto = load_markets(packaged_config(source))
    assert (stocks.calendar_name, crypto.calendar_name) == ("XNYS", "24/7")


def test_an_exchange_is_not_checked_against_itself(tmp_path: Path) -> None:
    path = tmp_path / "markets.toml"
    path.write_text(GOOD + 'cross_check = "kraken"\nexchange = "kraken"\n', encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"\[stocks\]: prices come from kraken, and cross_check names it again"
    ):
        configured_markets(Settings(tmp_path, "exchange", config=path))
    assert configured_markets(Settings(tmp_path, "yahoo", config=path))[0].cross_check == "kraken"
