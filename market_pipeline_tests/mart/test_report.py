"""The report says what the mart says, needs nothing else to be read, and never fails for want of rows."""

import datetime as dt
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pytest

from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.report import DRAWN_SYMBOLS, percent, price, write_report

HOSTILE = "<b>X</b>"
AS_OF = dt.date(2024, 3, 6)
VOID = {"meta", "link", "img", "br", "hr", "input"}

class Page(HTMLParser):
    """A page taken apart: elements with their attributes, text, and each table as rows of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows: list[list[str]] = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words.append(data)
        if "caption" in self.open:
            self.tables[data] = self.rows
        elif ("td" in self.open or "th" in self.open) and "svg" not in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\u202f", " ")

    def table(self, caption: str) -> list[list[str]]:
        rows = next(rows for name, rows in self.tables.items() if caption in name)
        return [[" ".join(cell.split()).replace("\u202f", " ") for cell in row] for row in rows]

    def drawings(self, name: str) -> list[ET.Element]:
        found = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", self.html, re.DOTALL)]
        return [svg for svg in found if svg.get("class") == name]


def page_of(folder: Path, *inserts: str, **of: Any) -> Page:
    return Page(report_of(folder, *inserts, **of).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(tmp_path_factory.mktemp("full"), *FULL, afterwards=CHANGED)


def test_the_headline_says_source_time_newest_session_and_who_is_served(page: Page) -> None:
    assert "Prices from files , published 2024-03-07 01:02 UTC by version 9.8.7" in page.text
    rows = page.table("Markets, their newest sessions")
    assert ["stocks", "2024-03-06", "2", "1 session: linear; 5 sessions: linear"] in rows
    assert ["empty", "no prices yet", "0", "nothing yet"] in rows


def test_verdicts_stand_under_their_horizon_and_question(page: Page) -> None:
    top, questions, *models = page.table("Skill and verdict of each model in stocks")
    assert top == ["Model", "5 sessions (240 origins)", "20 sessions (3 origins)"]
    assert questions == ["return", "range", "rank"]
    assert models == [
        ["ewma", "not asked", "+0.7 %○ no evidence", "not asked"],
        ["linear", "+12.3 %✓ beats the random walk", "−3.4 %× worse than the random walk", "… too little data"],
    ]


def test_the_tally_counts_each_verdict_without_the_baseline(page: Page) -> None:
    assert "Of 4 comparisons with the random walk" in page.text
    assert "1 ✓ beats the random walk" in page.text
    assert "1 ○ no evidence" in page.text


def test_signals_are_the_numbers_of_the_mart(page: Page) -> None:
    rows = page.table("Newest forecasts of stocks")
    assert [row[0] for row in rows] == [
        "Symbol",
        "1 session from 2024-03-06 · linear · ✓ beats the random walk",
        *(HOSTILE, "AAA"),
        "5 sessions from 2024-03-06 · linear · ✓ beats the random walk",
        *(HOSTILE, "AAA"),
    ]
    assert [rows[1][1], rows[4][1]] == ["−5 %0+5 %", "−30 %0+30 %"]
    assert rows[3] == ["AAA", "↑ up", "61 %", "+1.25 %", "−3.1 % … +4.7 %", ""]
    assert rows[6] == ["AAA", "↑ up", "61 %", "+6.25 %", "−15.5 % … +23.5 %", ""]


def test_range_bars_of_a_horizon_share_an_axis(page: Page) -> None:
    bars = [next(svg.iter("rect")) for svg in page.drawings("range")]
    edges = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in bars]
    assert edges[:2] == [(-62.0, 156.0)] * 2  # −3.1 % … +4.7 % on an axis to 5 %
    assert edges[2:] == [(-51.7, 130.0)] * 2  # −15.5 % … +23.5 % on an axis to 30 %


def test_charts_end_where_the_served_model_does(page: Page) -> None:
    assert "100.00 on 2024-03-06" in page.text
    assert (
        page.text.count("80 % in 5 sessions 85.64 … 126.49") == len(page.drawings("fan")) == 2
    )  # 100 exp(−0.155), 100 exp(0.235)
    for svg in page.drawings("fan"):
        edge = next(path for path in svg.iter("path") if path.get("class") == "f80").get("d", "")
        assert len(re.findall("[ML]", edge)) == 2 * 3  # the origin and two horizons, there and back


def test_only_the_first_symbols_are_drawn_and_the_others_are_named(tmp_path: Path) -> None:
    symbols = tuple(f"S{n:02}" for n in range(DRAWN_SYMBOLS + 2))
    page = page_of(tmp_path, PRICES, FORECASTS, SIGNALS, symbols=symbols, sessions=300)
    assert len(page.drawings("fan")) == DRAWN_SYMBOLS
    assert "In the mart, not drawn here: S12, S13." in page.text
    line = next(path for path in page.drawings("fan")[0].iter("path") if path.get("class") == "price").get("d", "")
    assert len(re.findall("[ML]", line)) == 120
    assert len(page.html.encode()) < 250_000


def test_calibration_is_the_share_of_ranges_that_held(page: Page) -> None:
    rows = page.table("Share of outcomes inside the ranges of each model in stocks")
    assert rows[1] == ["1 session", "linear", "48.0 %", "83.0 %", "97.0 %", "", "", "100"]
    assert len(list(page.drawings("histogram")[0].iter("rect"))) == 10
    dots = [float(dot.get("cx", "")) for dot in page.drawings("strip")[0].iter("circle")]
    assert dots == [96.0, 166.0, 194.0]


def test_coverage_adds_up_by_year_and_names_what_is_not_whole(page: Page) -> None:
    assert page.table("Bars of stocks by year")[1:] == [
        ["2023", "1", "12", "12", "0", "0", "100.00 %"],
        ["2024", "2", "24", "21", "1", "2", "87.50 %"],
        ["All", "3", "36", "33", "1", "2", "91.67 %"],
    ]
    assert "Newest sessions that are not whole: 2024-03-05 (1 rejected, 2 missing)." in page.text


def test_a_hostile_symbol_is_text(page: Page) -> None:
    assert "b" not in {tag for tag, _ in page.elements}
    assert page.table("Newest forecasts of stocks")[2][0] == HOSTILE
    titles = [next(svg.iter("title")).text or "" for svg in page.drawings("fan")]
    assert any(title.startswith(f"{HOSTILE}: adjusted close") for title in titles)


def test_nothing_is_fetched_when_the_page_is_read(page: Page) -> None:
    assert {"script", "link", "img", "iframe", "object", "use", "image"}.isdisjoint({tag for tag, _ in page.elements})
    assert re.search(r"https?:|url\(|@import|src=|data:", page.html) is None
    assert all(link.startswith("#") for tag, held in page.elements if tag == "a" and (link := held.get("href") or ""))


def test_headers_have_a_scope_drawings_a_title_and_links_an_end(page: Page) -> None:
    assert all("scope" in held for tag, held in page.elements if tag == "th")
    pictures = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page.html, re.DOTALL)]
    assert pictures
    assert all(svg.get("role") == "img" and next(svg.iter("title")).text for svg in pictures)
    named = [held["id"] for _, held in page.elements if "id" in held]
    assert len(named) == len(set(named))
    for _, held in page.elements:
        for target in (held.get("aria-labelledby"), (held.get("href") or "")[1:] or None):
            assert target is None or target in named


def test_the_parts_come_in_order(page: Page) -> None:
    parts = ["verdicts", "forecasts", "prices", "calibration", "coverage", "query"]
    assert [held["id"] for tag, held in page.elements if tag == "h2"] == parts


@pytest.mark.parametrize(("source", "shown"), [("simulated", True), ("files", False), ("yahoo", False)])
def test_simulated_prices_are_announced_and_real_ones_are_not(tmp_path: Path, source: str, *, shown: bool) -> None:
    page = page_of(tmp_path, PRICES, source=source)
    assert ("Simulated prices: nothing below is a real market." in page.text) is shown
    assert any(held.get("class") == "banner" for _, held in page.elements) is shown


def test_prices_alone_make_a_report_of_plain_sentences(tmp_path: Path) -> None:
    page = page_of(tmp_path, PRICES)
    for sentence in (
        "No model has been judged yet",
        "No forecast of stocks has been made yet.",
        "No forecast from a session shown here.",
        "No forecast of stocks has come due yet.",
        "No session of stocks has been asked for yet.",
    ):
        assert sentence in page.text
    assert len(page.drawings("fan")) == 2


def test_a_market_without_prices_and_a_mart_without_markets_make_reports(tmp_path: Path) -> None:
    assert "The mart holds no prices of empty yet." in page_of(tmp_path, COVERED).text
    bare = page_of(tmp_path).text
    assert "The mart holds no prices yet, so there is nothing to forecast from." in bare
    for sentence in (
        "No market has been judged yet.",
        "No forecast has come due yet.",
        "No session has been asked for",
    ):
        assert sentence in bare


def test_a_baseline_alone_is_no_comparison(tmp_path: Path) -> None:
    alone = "insert into leaderboard values ('stocks', 5, 'random_walk', 'return', 9, 1, 1, 0, 1, 1, 'no_evidence')"
    assert "No model has been judged yet" in page_of(tmp_path, PRICES, alone).text


def test_a_signal_older_than_the_charts_is_told_and_not_drawn(tmp_path: Path) -> None:
    old = (FORECASTS.replace("'2024-03-06'", "'2023-11-01'"), SIGNALS)
    page = page_of(tmp_path, PRICES, *old, sessions=200)
    assert "No forecast from a session shown here." in page.text
    assert "5 sessions from 2023-11-01 · linear" in page.text


def test_a_report_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_of(tmp_path, PRICES)
    report = tmp_path / "report.html"
    report.write_text("old", encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_report(tmp_path / "mart.duckdb", report)
    assert report.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mart.duckdb", "report.html"]


def test_a_reader_of_the_old_report_keeps_it(tmp_path: Path) -> None:
    page_of(tmp_path, PRICES)
    report = tmp_path / "report.html"
    report.write_text("old", encoding="utf-8")
    with report.open(encoding="utf-8") as reader:
        write_report(tmp_path / "mart.duckdb", report)
        assert reader.read() == "old"
    assert "Market forecasts" in report.read_text(encoding="utf-8")


def test_no_mart_is_told_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(MarketPipelineError, match="No mart is published at"):
        write_report(tmp_path / "mart.duckdb", tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0123, "+1.2\u202f%"), (-0.5, "−50.0\u202f%"), (-0.0001, "0.0\u202f%"), (None, "–"), (float("nan"), "–")],
)
def test_fractions_are_shown_as_per_cent(fraction: float | None, text: str) -> None:
    assert percent(fraction, sign=True) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(103412.4, "103,412"), (9999.5, "9,999.50"), (164.213, "164.21"), (1.08724, "1.087"), (3.2e-5, "0.00003200")],
)
def test_prices_are_never_shown_in_powers_of_ten(value: float, text: str) -> None:
    assert price(value) == text
