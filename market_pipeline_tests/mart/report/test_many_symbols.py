"""The report of 500 symbols is a tool: search, sort, filter, switches, a file, keyboard, print; and it stays small."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from market_pipeline_tests.mart.large_mart import COINS, SYMBOLS, WITHOUT, large_report
from market_pipeline_tests.mart.report.browsing import Session

LARGEST = 3_000_000
"""Bytes of the report."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large_report(tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def opened(browser: Any, report: Path) -> Session:
    return Session(browser, report.as_uri(), viewport={"width": 1280, "height": 900}, accept_downloads=True)


@pytest.fixture
def session(opened: Session) -> Session:
    """The page as it opens: nothing searched, sorted by symbol."""
    opened.page.goto(opened.page.url.split("#")[0])
    return opened


def test_the_file_is_small(report: Path) -> None:
    assert report.stat().st_size < LARGEST


def test_every_symbol_is_listed_and_one_without_a_forecast_has_the_reason(session: Session) -> None:
    rows = {row[0]: row for row in session.rows}
    assert sorted(rows) == sorted(SYMBOLS)
    assert {symbol: rows[symbol][-1] for symbol in WITHOUT} == WITHOUT
    assert session.text("#shown") == "500 symbols, 3 without a forecast, sorted by symbol."
    assert session.complaints == []


def test_search_finds_parts_of_names_and_several(session: Session) -> None:
    session.page.fill("#search", "s04")
    assert session.symbols == [f"S04{digit}" for digit in range(10)]
    assert session.text("#shown").startswith("10 of 500 symbols, sorted")
    session.page.fill("#search", "S101, c07")
    assert session.symbols == ["C07-USD", "S101"]
    session.page.fill("#search", "none such")
    assert session.symbols == []


def test_a_market_is_a_filter(session: Session) -> None:
    session.page.select_option("#market", "crypto")
    assert session.symbols == list(COINS)
    session.page.fill("#search", "1")
    assert session.symbols == [symbol for symbol in COINS if "1" in symbol]


@pytest.mark.parametrize(
    ("column", "place"), [("p_up", 3), ("width", 7), ("es_025", 9), ("moved", 10), ("width_change", 12)]
)
def test_every_column_sorts_both_ways_with_gaps_last(session: Session, column: str, place: int) -> None:
    def numbers() -> list[float]:
        cells = [row[place].rsplit(" ", 1)[-1].replace("−", "-") for row in session.rows[:-3]]
        return [float(cell) for cell in cells if cell != "–"]

    head = session.page.locator(f"#table [data-column={column}]")
    session.sort_by(column)
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers() == sorted(numbers(), reverse=True)
    session.sort_by(column)
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers() == sorted(numbers())
    assert session.page.locator("#table [aria-sort]").count() == 1
    assert set(session.symbols[-3:]) == set(WITHOUT)


def test_what_has_no_earlier_publication_has_no_change(session: Session) -> None:
    row = next(row for row in session.rows if row[0] == "S000")
    assert row[-3:] == ["–", "–", "–"]
    session.sort_by("moved")
    assert session.symbols[-4:] == ["S000", *WITHOUT]


def test_a_switch_goes_by_the_arrow_keys_and_keeps_order_and_search(session: Session) -> None:
    session.page.fill("#search", "S00")
    session.sort_by("width")
    before = session.rows
    session.page.locator("input[name=horizon]:checked").focus()
    session.page.keyboard.press("ArrowRight")
    assert session.text("#table caption").startswith("Forecasts 5 sessions ahead")
    assert session.symbols == [row[0] for row in before]
    assert session.rows != before


@pytest.mark.parametrize("units", ["returns", "prices"])
def test_the_file_has_what_is_shown(session: Session, tmp_path: Path, units: str) -> None:
    session.switch("units", units)
    session.page.fill("#search", "S47")
    session.sort_by("width")
    with session.page.expect_download() as found:
        session.page.locator("#csv").click()
    assert found.value.suggested_filename == f"forecasts-1-{units}.csv"
    found.value.save_as(tmp_path / "file.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "file.csv").read_text(encoding="utf-8"))))
    assert [row["symbol"] for row in rows] == session.symbols
    assert rows[0]["verdict"] == "range: beats baseline"
    assert {row["symbol"]: row["reason"] for row in rows if row["reason"]} == WITHOUT
    close, low, high, width = (float(rows[0][name]) for name in ("close", "low", "high", "width"))
    assert width == pytest.approx(high - low, abs=2e-5 * (close if units == "prices" else 1))
    assert (low < close < high) if units == "prices" else (low < 0 < high)


def test_a_name_is_no_formula_in_a_sheet(session: Session) -> None:
    script = session.page.locator("script").last.inner_text()
    assert r"/^[=+@\t\r-]/" in script


def test_the_table_goes_by_the_keyboard_alone(session: Session) -> None:
    page = session.page
    page.locator("#search").focus()
    page.keyboard.type("S04")
    page.keyboard.press("ArrowDown")
    assert session.focused == "S040"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert session.focused == "S042"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#symbol/stocks/S042"
    assert session.focused == "S042"
    assert page.evaluate("document.activeElement.id") == "symbol-name"
    page.locator("#next").click()
    assert session.text("#symbol-name") == "S043"
    page.keyboard.press("Escape")
    assert session.focused == "S043"
    assert page.locator("#symbol").is_hidden()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert session.focused == "search"
    assert session.complaints == []


def test_the_address_of_a_symbol_opens_its_section(browser: Any, report: Path) -> None:
    session = Session(browser, f"{report.as_uri()}#symbol/crypto/C07-USD", viewport={"width": 1280, "height": 900})
    assert session.text("#symbol-name") == "C07-USD"
    assert session.page.locator("#symbol").is_visible()
    assert session.page.locator("#chart .past").count() == 1
    assert "har: ✓ range: beats baseline" in session.text("#of-symbol tbody tr >> nth=0")
    assert "range 10.0 % better than a random walk" in session.text("#of-symbol tbody tr >> nth=0")
    session.page.goto(f"{report.as_uri()}#symbol/stocks/S478")
    assert session.text("#reason") == WITHOUT["S478"]
    assert session.page.locator("#figure").is_hidden()
    assert session.complaints == []


def test_paper_has_every_row_and_no_control(browser: Any, report: Path) -> None:
    page = Session(browser, report.as_uri(), viewport={"width": 720, "height": 1000}).page
    page.emulate_media(media="print")
    assert page.locator(".controls").is_hidden()
    assert page.locator("#table tbody tr").last.is_visible()
    box = page.locator("#tool .scroll")
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight + 2")


def test_axe_finds_nothing_in_the_large_table(session: Session) -> None:
    from axe_playwright_python.sync_playwright import Axe

    session.page.fill("#search", "S47")  # with and without a forecast
    found = Axe().run(session.page, context="#tool")
    assert found.violations_count == 0, found.generate_report()
