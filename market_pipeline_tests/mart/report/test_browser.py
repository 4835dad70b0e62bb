"""The report in a browser: from disk, by keyboard, on a phone, in light and dark, checked for accessibility."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from market_pipeline_tests.mart.small_mart import CHANGES, FULL, report_of
from market_pipeline_tests.orchestration.test_ui import QUIET, chromium

SCHEMES = ("light", "dark")
PARTS = ("skill", "changes", "forecasts", "prices", "verdicts", "ranks", "backtest", "calibration", "coverage")
SEEN = (
    "#explorer",
    "#chart svg.main-svg >> nth=0",
    "svg.range >> nth=0",
    "svg.histogram >> nth=0",
    "text=Simulated prices",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(tmp_path_factory.mktemp("report"), *FULL, source="simulated", afterwards=CHANGES).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            yield running
        finally:
            running.close()


class Session:
    """A browser with the report open; `complaints` are errors, and every request to a network."""

    def __init__(self, browser: Any, report: str, **context: Any) -> None:
        self.complaints: list[str] = []
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(180_000)  # five megabytes of script, on a machine that may be busy
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(report)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(request.url)

    def until_background(self, wanted: Callable[[str], bool]) -> None:
        """Wait until the background of the chart has a wanted colour; the page forbids the browser's own waiting."""
        for _ in range(600):
            if wanted(self.plotted()["background"]):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"The chart was not redrawn: its background is {self.plotted()['paper']}.")

    def plotted(self) -> Any:
        """The traces, background and time axis of the chart."""
        return self.page.evaluate(
            "() => { const chart = document.getElementById('chart'); return {"
            "traces: chart.data.map(trace => trace.name), background: chart.layout.paper_bgcolor,"
            "first: chart.layout.xaxis.range[0], median: chart.data.find(trace => trace.name === 'median')?.y } }"
        )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_opens_whole_without_a_network_or_an_error(browser: Any, report: str, width: int, scheme: str) -> None:
    session = Session(browser, report, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = session.page
    for seen in (*(f"h2#{part}" for part in PARTS), *SEEN):
        assert page.locator(seen).is_visible(), seen
    assert session.plotted()["traces"] == ["95 %", "80 %", "50 %", "median", "close"]
    assert "days ago" in page.locator("header").inner_text()
    assert "Old prices of stocks: a newer session has closed" in page.locator("header").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert session.complaints == []


def test_a_symbol_and_a_span_are_selected_by_keyboard_alone(browser: Any, report: str) -> None:
    session = Session(browser, report, viewport={"width": 1280, "height": 800})
    page, before = session.page, session.plotted()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    for _ in range(60):
        if page.evaluate("document.activeElement.id") == "symbol":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert "<b>X</b> (stocks) closed at 100.00 on 2024-03-06" in page.locator("#chart-text").inner_text()
    page.keyboard.press("ArrowDown")
    assert "AAA (stocks) closed at 100.00 on 2024-03-06" in page.locator("#chart-text").inner_text()
    assert "AAA" in page.locator("#chart").get_attribute("aria-label")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("button[data-sessions='21']").get_attribute("aria-pressed") == "true"
    assert page.locator("button[aria-pressed='true']").count() == 1
    assert session.plotted()["first"] > before["first"]
    assert session.complaints == []


def test_another_symbol_has_another_line_and_range(browser: Any, tmp_path: Path) -> None:
    tripled = "update prices set adj_close = 3 * adj_close where symbol = 'AAA'"
    session = Session(browser, report_of(tmp_path, *FULL, tripled).as_uri())
    cheap = session.plotted()["median"]
    session.page.select_option("#symbol", label="AAA")
    assert session.plotted()["median"] == pytest.approx([3 * price for price in cheap], rel=1e-5)
    assert "closed at 300.00" in session.page.locator("#chart-text").inner_text()


def test_hovering_over_the_median_shows_the_ranges_and_the_verdict(browser: Any, report: str) -> None:
    page = Session(browser, report, viewport={"width": 1280, "height": 1200}).page
    page.locator("#chart").scroll_into_view_if_needed()
    page.locator("#chart .scatterlayer .points path").last.hover(force=True)
    page.locator("#chart .hoverlayer text").first.wait_for()
    label = page.locator("#chart .hoverlayer").text_content()
    assert "5 sessions ahead" in label
    assert "80 %: 85.64 … 126.49" in label
    assert "return: beats baseline" in label
    assert "no direction is proven" not in label


def test_skill_on_the_range_alone_proves_no_direction(browser: Any, tmp_path: Path) -> None:
    only = "update signals set question = 'range'"
    page = Session(browser, report_of(tmp_path, *FULL, only).as_uri(), viewport={"width": 1280, "height": 1200}).page
    assert "(linear, ✓ range: beats baseline)" in page.locator("#chart-text").inner_text()
    page.locator("#chart .scatterlayer .points path").last.hover(force=True)
    page.locator("#chart .hoverlayer text").first.wait_for()
    assert "P(up) 61 % (no direction is proven)" in page.locator("#chart .hoverlayer").text_content()


def test_a_change_of_colour_scheme_redraws_the_chart(browser: Any, report: str) -> None:
    session = Session(browser, report, color_scheme="light")
    light = session.plotted()["background"]
    session.page.emulate_media(color_scheme="dark")
    session.until_background(lambda background: background != light)
    painted = session.page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", painted)[:3])
    assert session.plotted()["background"] == f"#{red:02x}{green:02x}{blue:02x}"
    session.page.emulate_media(media="print", color_scheme="dark")
    session.until_background(lambda background: background == "#fff")


@pytest.mark.parametrize(("preference", "scrolls"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_scrolling_respects_the_preference_for_reduced_motion(
    browser: Any, report: str, preference: str, scrolls: str
) -> None:
    page = Session(browser, report, reduced_motion=preference).page
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == scrolls


def test_without_scripts_the_tables_have_every_range(browser: Any, report: str) -> None:
    page = Session(browser, report, java_script_enabled=False).page
    assert page.locator("#explorer").is_hidden()
    assert page.locator("text=The interactive chart needs JavaScript").is_visible()
    page.locator("summary", has_text="All ranges of stocks").click()
    assert page.locator(".ranges td", has_text="149.18").first.is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(browser: Any, report: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    viewport = {"width": width, "height": 800}
    page = Session(browser, report, viewport=viewport, color_scheme=scheme).page
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_axe_finds_a_select_without_a_name(browser: Any, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    bad = tmp_path / "bad.html"
    bad.write_text("<html><body><select><option>x</option></select></body></html>", encoding="utf-8")
    assert Axe().run(Session(browser, bad.as_uri()).page).violations_count > 0
