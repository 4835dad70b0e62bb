"""The report in a browser: from disk, by keyboard, on a phone, in light and dark, checked for accessibility."""

from pathlib import Path
from typing import Any

import pytest

from market_pipeline_tests.mart.report.browsing import Session
from market_pipeline_tests.mart.small_mart import CHANGES, FULL, HOSTILE, PORTFOLIOS, report_of

SCHEMES = ("light", "dark")
PARTS = ("forecasts", "skill", "verdicts", "ranks", "portfolios", "calibration", "backtest", "coverage", "changes")
SYMBOL = "#symbol/stocks/AAA"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(
        tmp_path_factory.mktemp("report"), *FULL, PORTFOLIOS, source="simulated", afterwards=CHANGES
    ).as_uri()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_opens_whole_without_a_network_or_an_error(browser: Any, report: str, width: int, scheme: str) -> None:
    session = Session(browser, report + SYMBOL, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = session.page
    others = ("#table", "#chart .close", ".portfolio >> nth=3", "svg.histogram >> nth=0")
    for seen in (*(f"h2#{part}" for part in PARTS), *others):
        assert page.locator(seen).is_visible(), seen
    assert session.symbols == [HOSTILE, "AAA"]
    assert "days ago" in session.text("header")
    assert "Simulated prices" in session.text("header")
    assert "Old prices of stocks: a newer session has closed" in session.text("header")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert session.complaints == []


def test_a_forecast_is_the_same_move_in_returns_and_in_prices(browser: Any, report: str) -> None:
    session = Session(browser, report)
    session.switch("horizon", "5")
    assert session.rows[1] == ["AAA", "100.00", "↑ 61", "+6.45", "−14.4", "+26.5", "40.8"]
    session.switch("units", "prices")
    assert session.rows[1] == ["AAA", "100.00", "↑ 61", "106.45", "85.64", "126.49", "40.85"]
    assert session.text("#table caption") == "Forecasts 5 sessions ahead, in prices"
    assert session.text("#models") == (
        "stocks from 2024-03-06: linear beats the baseline on return so far. Past skill may not last."
    )


def test_the_tail_of_the_selected_model_is_a_column_when_there_is_one(
    browser: Any, report: str, tmp_path: Path
) -> None:
    assert Session(browser, report).page.locator("#table [data-column=es_025]").count() == 0
    tails = (
        "insert into tails by name select market, symbol, origin, horizon, target_session, model, ln(0.9) as var_025, "
        "ln(0.85) as es_025 from forecasts where model = 'linear' and symbol = 'AAA'"
    )
    session = Session(browser, report_of(tmp_path, *FULL, tails).as_uri() + SYMBOL)
    session.sort_by("es_025")
    assert [row[-2:] for row in session.rows] == [["−10.0", "−15.0"], ["–", "–"]]
    session.switch("units", "prices")
    assert session.rows[0][-2:] == ["90.00", "85.00"]
    assert "−10.0 %; −15.0 %" in session.text("#of-symbol tbody tr >> nth=0")


def test_skill_on_the_range_alone_proves_no_direction(browser: Any, report: str, tmp_path: Path) -> None:
    proven = Session(browser, report).page
    assert proven.locator("#table td.muted").count() == 0
    only = Session(browser, report_of(tmp_path, *FULL, "update signals set question = 'range'").as_uri())
    assert only.page.locator("#table td.muted").count() == 2
    assert "No direction is proven: use the range, not the trend." in only.text("#models")
    assert "trends and chances of rising at any horizon, because no direction is proven" in only.text(".lines")


def test_the_section_of_a_symbol_reads_every_session_of_its_chart(browser: Any, report: str) -> None:
    session = Session(browser, report + SYMBOL, viewport={"width": 1280, "height": 900})
    page, cursor = session.page, session.page.locator("#cursor")
    assert session.text("#symbol-about") == "stocks, close 100.00 on 2024-03-06"
    cursor.focus()
    page.keyboard.press("Home")
    assert session.text("#readout").startswith("2024-01-04: close ")
    page.keyboard.press("End")
    read = "2024-03-11, 5 sessions ahead: median 105.13; 50 % 90.48 … 116.18; 80 % 85.64 … 126.49; 95 % 74.08 … 149.18."
    assert session.text("#readout") == read
    assert (cursor.get_attribute("aria-valuetext") or "").replace("\u202f", " ") == read
    page.locator("#chart").hover(position={"x": 4, "y": 100})
    assert session.text("#readout").startswith("2024-01-04: close ")
    session.switch("span", "21")
    assert page.locator("#cursor").get_attribute("max") == "25"
    assert "1 bar in quarantine" in session.text("#doubts")
    assert "linear: ✓ return: beats baseline" in session.text("#of-symbol tbody tr >> nth=0")
    assert session.complaints == []


def test_closes_outside_their_past_range_are_dots(browser: Any, tmp_path: Path) -> None:
    past = (
        "insert into forecasts select f.* replace (origin - day::integer as origin, target_session - day::integer as "
        "target_session) from forecasts f, range(2, 12) as r(day) where origin = date '2024-03-06'"
    )
    flat = "update prices set adj_close = 100; update prices set adj_close = 150 where session = date '2024-03-01'"
    session = Session(browser, report_of(tmp_path, *FULL, past, flat).as_uri() + SYMBOL)
    assert session.page.locator("#chart .outside").count() == 2  # into the day that was high, and out of it
    assert "8 of 10 closes were inside (80 %); the others are dots." in session.text("#compared")


@pytest.mark.parametrize(("preference", "scrolls"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_scrolling_respects_the_preference_for_reduced_motion(
    browser: Any, report: str, preference: str, scrolls: str
) -> None:
    page = Session(browser, report, reduced_motion=preference).page
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == scrolls


def test_without_scripts_a_table_has_every_forecast(browser: Any, report: str) -> None:
    session = Session(browser, report, java_script_enabled=False)
    assert session.page.locator("#tool").is_hidden()
    assert session.page.locator("noscript p").is_visible()
    assert session.page.locator("noscript td", has_text="85.64 … 126.49").first.is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(browser: Any, report: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    viewport = {"width": width, "height": 800}
    page = Session(browser, report + SYMBOL, viewport=viewport, color_scheme=scheme).page
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_axe_finds_a_select_without_a_name(browser: Any, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    bad = tmp_path / "bad.html"
    bad.write_text("<html><body><select><option>x</option></select></body></html>", encoding="utf-8")
    assert Axe().run(Session(browser, bad.as_uri()).page).violations_count > 0
