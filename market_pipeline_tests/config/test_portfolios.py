"""Portfolios of the markets file: what is read, and what is refused with the key and the value."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline.config.markets_file import load_markets
from market_pipeline.config.portfolios import Held, Portfolio
from market_pipeline.errors import ConfigurationError

GOOD = '[stocks]\ncalendar = "XNYS"\nstart = 2018-01-02\nsymbols = ["AAPL", "MSFT"]\n'
FIRST, SECOND = dt.date(2024, 1, 2), dt.date(2024, 2, 2)


def load(folder: Path, toml: str, holdings: bytes = b"") -> tuple[Portfolio, ...]:
    (folder / "holdings.csv").write_bytes(holdings)
    (folder / "markets.toml").write_text(GOOD + toml, encoding="utf-8")
    return load_markets(folder / "markets.toml")[0].portfolios


@pytest.mark.parametrize(
    ("given", "positions"),
    [
        ("{MSFT = -0.5, AAPL = 1}", (Held("AAPL", 1.0), Held("MSFT", -0.5))),
        ('"equal"', (Held("AAPL", 0.5), Held("MSFT", 0.5))),
        ('{equal = ["MSFT"]}', (Held("MSFT", 1.0),)),
    ],
)
def test_weights_are_read_by_name(tmp_path: Path, given: str, positions: tuple[Held, ...]) -> None:
    assert load(tmp_path, f"[stocks.portfolios]\nmine = {given}\n") == (Portfolio("mine", "weight", positions),)


def test_holdings_are_those_of_the_newest_date_and_a_byte_order_mark_is_no_letter(tmp_path: Path) -> None:
    lines = "\ufeffSymbol,Quantity,Date\r\nAAPL,3,2024-01-02\r\nMSFT,-1,2024-01-02\r\n\r\nMSFT,4.5,2024-02-02\r\n"
    [mine] = load(tmp_path, '[stocks.portfolios]\nmine = {holdings = "holdings.csv"}\n', lines.encode())
    assert mine.unit == "quantity"
    assert mine.on(FIRST - dt.timedelta(days=1)) == ()
    assert mine.on(FIRST) == (Held("AAPL", 3.0, FIRST), Held("MSFT", -1.0, FIRST))
    assert mine.on(SECOND) == (Held("MSFT", 4.5, SECOND),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{AAPL = nan}", "portfolios.mine.AAPL is nan, but must be a finite number"),
        ("{AAPL = inf}", "portfolios.mine.AAPL is inf, but must be a finite number"),
        ("{AAPL = true}", "portfolios.mine.AAPL is True, but must be a number"),
        ("{AAPL = 0.5, SAP = 0.5}", "portfolios.mine names 'SAP', which is not among the symbols"),
        ("{AAPL = 0.0}", "portfolios.mine holds nothing: the sizes of its amounts sum to 0"),
        ("{}", "portfolios.mine is empty"),
        ("{equal = []}", "portfolios.mine is empty"),
        ('{equal = ["AAPL", "AAPL"]}', "portfolios.mine has 'AAPL' twice"),
        ('"all"', "portfolios.mine is 'all', but must be a table of weights such as"),
        ('{holdings = "none.csv"}', "cannot be read: No such file or directory. The path is relative"),
    ],
)
def test_impossible_weights_are_refused(tmp_path: Path, given: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^\[stocks\] in .*markets\.toml: ") as raised:
        load(tmp_path, f"[stocks.portfolios]\nmine = {given}\n")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("holdings", "message"),
    [
        (b"", "has the columns none; they are symbol, quantity, and date (or not)"),
        (b"symbol,shares\nAAPL,1\n", "has the columns symbol, shares"),
        (b"symbol,quantity\n", "portfolios.mine is empty"),
        (b"symbol,quantity\nAAPL,nan\n", "line 2: quantity is nan"),
        (b"symbol,quantity\nAAPL,ten\n", "line 2: quantity is 'ten'"),
        (b"symbol,quantity\nAAPL,1,2\n", "line 2 has another number of cells"),
        (b"symbol,quantity\nAAPL,1\nAAPL,2\n", "has 'AAPL' twice. Add the two together"),
        (b"symbol,quantity,date\nAAPL,1,2024-02-02\nMSFT,1,2024-01-02\n", "has the date 2024-01-02 below 2024-02-02"),
        (b"symbol,quantity,date\nAAPL,1,2 Jan\n", "line 2: date is '2 Jan', but must be a day such as 2024-01-31"),
        (b"symbol,quantity,date\nAAPL,1,2024-01-02\nAAPL,1,2024-01-02\n", "has 'AAPL' twice on 2024-01-02"),
        (b"symbol,quantity,date\nSAP,1,2024-01-02\n", "names 'SAP' on 2024-01-02"),
        (b"symbol,quantity,date\nAAPL,0,2024-01-02\n", "holds nothing on 2024-01-02"),
        (b"\xff\xfes", "is not text in UTF-8: invalid start byte at byte 0"),
    ],
)
def test_impossible_holdings_are_refused(tmp_path: Path, holdings: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, '[stocks.portfolios]\nmine = {holdings = "holdings.csv"}\n', holdings)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("portfolios = 3\n", "portfolios is 3, but must be a table of names"),
        ('portfolios = {test_mine = "equal"}\n', "portfolios has the name 'test_mine'"),
        ('portfolios = {"a b" = "equal"}\n', "portfolios has the name 'a b'"),
        ('portfolios = {aapl = "equal"}\n', "portfolios has the name 'aapl', which is a symbol"),
    ],
)
def test_impossible_names_are_refused(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, table)
    assert message in str(raised.value)
