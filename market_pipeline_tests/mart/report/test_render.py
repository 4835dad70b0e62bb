"""The report has the numbers of the mart, needs no other file, and never fails without rows."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.read import query
from market_pipeline.mart.report import contents
from market_pipeline.mart.report.render import write_report
from market_pipeline_tests.mart.small_mart import (
    CHANGES,
    COVERAGE,
    FORECASTS,
    FULL,
    HOSTILE,
    PORTFOLIOS,
    PRICES,
    SIGNALS,
    SYMMETRIC,
    report_of,
)

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart: elements with their attributes, text, and each table as rows of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
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
        if "script" in self.open:
            self.scripts.append(data)
        if {"style", "script"} & set(self.open):
            return
        self.words.append(data)
        if "caption" in self.open:
            self.tables[data] = self.rows
        elif ("td" in self.open or "th" in self.open) and "svg" not in self.open:
            self.rows[-1][-1] += data

    @property
    def data(self) -> list[dict[str, Any]]:
        """The data of the scripts, by market."""
        found: list[dict[str, Any]] = json.loads(self.scripts[0])
        return found

    @property
    def markup(self) -> str:
        """The page without the contents of its scripts."""
        return re.sub(r"(<script[^>]*>).*?(</script>)", r"\1\2", self.html, flags=re.DOTALL)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\u202f", " ")

    def table(self, caption: str) -> list[list[str]]:
        rows = next(rows for name, rows in self.tables.items() if caption in name)
        return [[" ".join(cell.split()).replace("\u202f", " ") for cell in row] for row in rows]

    def marks(self, name: str) -> list[ET.Element]:
        found = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", self.markup, re.DOTALL)]
        return [svg for svg in found if svg.get("class") == name]


def page_of(folder: Path, *inserts: str, **of: Any) -> Page:
    return Page(report_of(folder, *inserts, **of).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(tmp_path_factory.mktemp("full"), *FULL, afterwards=CHANGES)


def test_the_headline_has_source_time_newest_session_and_selected_models(page: Page) -> None:
    assert "Prices from files , published 2024-03-07 01:02 UTC by version 9.8.7" in page.text
    assert "Newest session 2024-03-06 , 2 symbols. Selected: 1 session: linear; 5 sessions: linear." in page.text
    assert "Data empty: no prices yet. stocks up to 2024-03-06, the newest session that was due." in page.text
    assert "Return: better than a random walk in stocks at 5 sessions by linear (12.3 %)." in page.text
    assert "empty No prices yet." in page.text


def test_skill_stands_where_it_is_proven_and_nowhere_else(page: Page) -> None:
    assert page.table("Where there is skill in stocks") == [
        ["Question", "5 sessions ahead", "20 sessions ahead"],
        ["return size and sign of the move", "✓ linear +12.3 %", "not scored"],
        ["direction whether it rises", "not scored", "not scored"],
        ["range how wide the range has to be", "○ none of 2 models", "not scored"],
        ["rank which symbols lead, which lag", "not scored", "… insufficient data"],
        ["tail how much may be lost", "not scored", "not scored"],
        ["portfolio how much several symbols together may lose", "not scored", "not scored"],
    ]


def test_every_comparison_stands_with_its_p_values_and_a_sentence(page: Page) -> None:
    rows = page.table("Comparisons of stocks with the baseline")
    assert [row[:7] for row in rows[1:]] == [
        ["5 sessions", "return", "linear", "240 effective 61", "0.001", "0.004", "✓ beats baseline"],
        ["5 sessions", "range", "ewma", "240", "0.300", "0.500", "○ no evidence of skill"],
        ["5 sessions", "range", "linear", "240", "0.900", "0.900", "× worse than baseline"],
        ["20 sessions", "rank", "linear", "3", "–", "–", "… insufficient data"],
    ]
    assert [row[8] for row in rows[1:]] == ["Clark–West 0.012 e-value 1.3", "", "", ""]
    assert all(len(row[7]) > 40 and row[7].endswith(".") for row in rows[1:])


def test_a_change_has_the_old_and_the_new_value(page: Page) -> None:
    assert "Since the publication of 2024-03-05 22:10 UTC" in page.text
    for sentence in (
        "2 new sessions : 2024-03-05 to 2024-03-06.",
        "return, 5 sessions: random walk → linear",
        "linear on return, 5 sessions: ○ no evidence of skill → ✓ beats baseline",
        "1 bar newly in quarantine : AAA 2024-03-05",
        "1 value restated by the vendor : AAA 2024-02-01 close.",
    ):
        assert sentence in page.text
    assert "No change: no new session" in page.text  # the market without changes


def test_a_first_publication_has_nothing_to_compare_with(tmp_path: Path) -> None:
    assert "There is no earlier publication to compare with." in page_of(tmp_path, PRICES).text


def test_a_rank_forecast_has_both_ends_and_no_promise(page: Page) -> None:
    caption, *_ = [name for name in page.tables if name.startswith("Rank forecast of stocks")]
    assert caption == "Rank forecast of stocks, 5 sessions ahead, from 2024-03-06, by joint"
    rows = page.table("Rank forecast of stocks")
    assert rows[1:3] == [["S0", "10 %", "30 %", ""], ["S1", "11 %", "29 %", ""]]
    assert len(rows) == 1 + 12
    assert "No evidence that it beats 20 % in each quintile: do not choose by it." in page.text
    widths = [float(piece.get("width", "")) for piece in page.marks("quintiles")[0].iter("rect")]
    assert widths == [10, 20, 20, 20, 30]


def test_equal_probabilities_at_both_ends_are_no_direction(page: Page, tmp_path: Path) -> None:
    words = "It forecasts how widely each symbol moves, not which way: the most volatile are listed."
    assert words not in page.text
    symmetric = page_of(tmp_path, *FULL, SYMMETRIC)
    assert words in symmetric.text
    assert symmetric.table("Rank forecast of stocks")[:2] == [
        ["Symbol", "Lowest or highest quintile", "All quintiles, plotted"], ["S0", "60 %", ""]
    ]  # fmt: skip


def test_a_portfolio_has_its_losses_in_money_and_its_largest_parts(tmp_path: Path) -> None:
    page = page_of(tmp_path, *FULL, PORTFOLIOS)
    assert page.table(f"Gains and losses of {HOSTILE}")[1:] == [
        ["1", "55 %", "−2.0 % (−240) to +3.0 % (+360)", "−6.0 % (−720)", "−8.0 % (−960)", "−4.0 % (−480)",
         "−5.0 % (−600)", "−3.0 % (−360)", "−4.0 % (−480)", "−8.0 % (−960)", "constant",
         "… portfolio: insufficient data"],
        ["5", "55 %", "−10.0 % (−1,200) to +15.0 % (+1,800)", "−30.0 % (−3,600)", "−40.0 % (−4,800)",
         "−20.0 % (−2,400)", "−25.0 % (−3,000)", "−15.0 % (−1,800)", "−20.0 % (−2,400)", "−40.0 % (−4,800)", "shrunk",
         "✓ portfolio: beats baseline"],
    ]  # fmt: skip
    assert page.table("of weights")[1][2:4] == ["−2.0 % to +3.0 %", "−6.0 %"]
    assert page.table(f"shortfall at 2.5\xa0% of {HOSTILE}")[1:] == [
        ["1", "AAA", "+75.0 %", "−6.2 % (−750)"], ["1", HOSTILE, "−75.0 %", "+1.2 % (+150)"],
        ["5", "AAA", "+75.0 %", "−31.2 % (−3,750)"], ["5", HOSTILE, "−75.0 %", "+6.2 % (+750)"],
    ]  # fmt: skip
    assert "test_equal" not in page.text


def test_without_a_portfolio_the_report_names_where_to_write_one(page: Page) -> None:
    assert "No portfolio of stocks has a forecast. Name one in the markets file, below [stocks.portfolios]" in page.text


def test_the_backtest_stands_beside_buy_and_hold(page: Page) -> None:
    rows = page.table("Signal backtest of stocks")
    assert rows[1:] == [
        ["1 session", "250", "0.0 %", "+8.1 %", "–", "–", "–", "0 %", "0.0×", "5 bp"],
        ["5 sessions", "250", "+4.2 %", "+8.1 %", "0.61", "31 %", "9.3 %", "40 %", "12.3×", "5 bp"],
    ]
    assert "1 session: No trades: no trend was proven at any review." in page.text
    assert "with probability 31.0 %: no evidence of a gain" in page.text
    assert page.text.count("holds only what survived until today") == 2


def test_suspect_bars_are_listed_with_their_reason(page: Page) -> None:
    assert page.table("Newest bars of stocks in quarantine")[1:] == [
        ["2024-03-05", "AAA", "no price is above the high", "10.00", "11.00", "9.000", "12.00"],
        ["2024-03-01", "BBB", "every price is a number", "–", "11.00", "9.000", "–"],
    ]
    assert page.table("Newest restatements of stocks")[1:] == [
        ["2024-03-06", "AAA", "2024-02-01", "close", "101.50", "102.25", "vendor fix"]
    ]
    assert "No bar is in quarantine, and no value was restated." in page.text  # the other market


def test_a_symbol_that_ends_early_is_named(tmp_path: Path) -> None:
    late = PRICES.replace("'2024-03-06'", "'2024-03-01'").replace("unnest($symbols)", "unnest(['LATE'])")
    page = page_of(tmp_path, PRICES, late)
    assert "1 symbol of 3 end before the newest session 2024-03-06: LATE (2024-03-01)." in page.text


def test_verdicts_stand_under_their_horizon_and_question(page: Page) -> None:
    top, questions, *models = page.table("Skill and verdict of each model in stocks")
    assert top == ["Model", "5 sessions (240 origins)", "20 sessions (3 origins)"]
    assert questions == ["return", "range", "rank"]
    assert models == [
        ["ewma", "not scored", "+0.7 %○ no evidence of skill", "not scored"],
        ["linear", "+12.3 %✓ beats baseline", "−3.4 %× worse than baseline", "… insufficient data"],
    ]


def test_the_tally_counts_each_verdict_without_the_baseline(page: Page) -> None:
    assert "Of 4 comparisons with the baseline" in page.text
    assert "1 ✓ beats baseline" in page.text
    assert "1 ○ no evidence of skill" in page.text


def test_signals_are_the_numbers_of_the_mart(page: Page) -> None:
    rows = page.table("Newest forecasts of all symbols")
    assert [row[0] for row in rows] == ["Symbol", HOSTILE, "AAA", HOSTILE, "AAA"]
    # Log returns of -0.031 and 0.047 are a fall by 3.1 % and a rise by 4.8 %: per cent and price state the same move.
    assert rows[2] == ["AAA", "1", "61 %", "+1.26 %", "−3.1 % … +4.8 %", "96.95 … 104.81"]
    assert rows[4] == ["AAA", "5", "61 %", "+6.45 %", "−14.4 % … +26.5 %", "85.64 … 126.49"]


def test_the_scripts_have_the_forecasts_of_the_selected_models(page: Page) -> None:
    (market,) = page.data
    assert (market["name"], market["symbols"], len(market["sessions"])) == ("stocks", [HOSTILE, "AAA"], 120)
    assert market["sessions"][-1] == "2024-03-06"
    assert [(one["horizon"], one["model"], one["target"], one["at"]) for one in market["forecasts"]] == [
        (1, "linear", "2024-03-07", [0, 1]),
        (5, "linear", "2024-03-11", [0, 1]),
    ]
    assert [one["verdict"] for one in market["forecasts"]] == ["✓ return: beats baseline"] * 2
    assert market["forecasts"][0]["sentence"] == "linear beats the baseline on return so far. Past skill may not last."
    quantiles = market["forecasts"][1]["quantiles"][1]
    assert quantiles == [74.0818, 85.6415, 90.4837, 105.127, 116.183, 126.491, 149.182]


def test_a_symbol_without_a_forecast_is_listed_with_the_reason(tmp_path: Path) -> None:
    never = "insert into symbols values ('stocks', 'NEVER', true, 0, 0, null, 'It has no bar. The source: no ticker.')"
    page = page_of(tmp_path, *FULL, afterwards=never)
    (market,) = page.data
    assert market["symbols"] == [HOSTILE, "AAA", "NEVER"]
    assert market["reasons"] == {"2": "It has no bar. The source: no ticker."}
    assert market["closes"][2] == []
    assert page.table("Newest forecasts of all symbols")[-1] == ["NEVER", "It has no bar. The source: no ticker."]
    assert "stocks: 1 of 3 symbols without a forecast, each with the reason." in page.text


def test_a_forecast_stands_beside_the_one_of_the_publication_before(tmp_path: Path) -> None:
    earlier = (
        "insert into earlier_signals select market, symbol, date '2024-03-05', 5, 0.5, ln(1.02), ln(0.9), ln(1.1), "
        "'linear' from symbols where symbol = 'AAA'"
    )
    raised = "update prices set adj_close = 1.1 * adj_close where session = date '2024-03-06'"
    (market,) = page_of(tmp_path, *FULL, raised, afterwards=earlier).data
    near, far = market["forecasts"]
    assert near["expected_change"] == near["moved"] == near["width_change"] == [None, None]
    assert far["expected_change"] == [None, pytest.approx(0.06449 - 0.02, abs=2e-5)]
    assert far["width_change"] == [None, pytest.approx(0.26491 + 0.14359 - 0.2, abs=2e-5)]
    assert far["moved"][1] == pytest.approx(1.1 * 100 / (100 + 10 * 0.11088) - 1, abs=2e-3)


def test_past_ranges_are_relative_to_what_happened(tmp_path: Path) -> None:
    five_days = "origin - 5 as origin, target_session - 5 as target_session"
    before = f"insert into forecasts select * replace ({five_days}) from forecasts where origin = date '2024-03-06'"
    flat = "update prices set adj_close = 100; update prices set adj_close = 110 where session = date '2024-03-06'"
    (market,) = page_of(tmp_path, *FULL, before, flat).data
    far = next(one for one in market["past"] if one["horizon"] == 5)
    # The range of 2024-03-01 was 100 * exp(-0.155) … 100 * exp(0.235), and 110 came.
    assert far["low"][1][-1] == round(10_000 * (0.85642 / 1.1 - 1))
    assert far["high"][1][-1] == round(10_000 * (1.26491 / 1.1 - 1))
    assert far["low"][1][-10] is None


def test_a_symbol_has_its_own_record_and_doubts(page: Page) -> None:
    (market,) = page.data
    assert market["forecasts"][0]["record"] == {}  # the baseline is not scored beside it
    assert market["doubts"]["1"] == [
        "1 bar in quarantine; the newest of 2024-03-05 broke “no price is above the high”.",
        "1 value changed by the vendor; the newest is close of 2024-02-01 (vendor fix).",
    ]


def test_a_record_counts_forecasts_inside_the_range_beside_the_random_walk(tmp_path: Path) -> None:
    losses = "update scores set crps = 0.9, target_session = date '2024-01-02' + (origin - date '2024-01-01')::integer"
    walk = "insert into scores select * replace ('random_walk' as model, 1.0 as crps) from scores"
    (market,) = page_of(tmp_path, *FULL, losses, walk, sessions=300).data
    assert market["forecasts"][0]["record"] == {"1": [100, 83, 0.1]}


def test_calibration_is_the_observed_coverage_of_the_ranges(page: Page) -> None:
    rows = page.table("Share of outcomes inside the ranges of each model in stocks")
    assert rows[1] == ["1 session", "linear", "48.0 %", "83.0 %", "97.0 %", "", "", "100"]
    assert len(list(page.marks("histogram")[0].iter("rect"))) == 10
    dots = [float(dot.get("cx", "")) for dot in page.marks("strip")[0].iter("circle")]
    assert dots == [96.0, 166.0, 194.0]


def test_ranges_are_counted_by_their_width_by_symbol_and_by_year(tmp_path: Path) -> None:
    wider = """
insert into forecasts by name select market, symbol, origin, horizon, target_session, model, -0.01 * (100 - n) as q10,
    0.01 * (100 - n) as q90 from (select *, origin - date '2024-01-01' as n from scores);
update scores set target_session = origin + 1, covered_80 = origin > date '2024-01-20';
update daily_scores set target_session = origin + 1
"""
    page = page_of(tmp_path, *FULL, wider, sessions=300)
    [row] = page.table("How often the 80 % ranges of the selected models held in stocks")[1:]
    # The widest 34 are those of the first origins, of which the last 14 held.
    assert row == ["1 session", "linear", "100 %", "100 %", "41 %", "80 % to 80 %", "2024: 83 %"]


def test_coverage_adds_up_by_year_and_lists_incomplete_sessions(page: Page) -> None:
    assert page.table("Bars of stocks by year")[1:] == [
        ["2023", "1", "12", "12", "0", "0", "100.00 %"],
        ["2024", "2", "24", "21", "1", "2", "87.50 %"],
        ["All", "3", "36", "33", "1", "2", "91.67 %"],
    ]
    assert "Newest incomplete sessions: 2024-03-05 (1 rejected, 2 missing)." in page.text


def test_a_hostile_symbol_is_text(page: Page) -> None:
    assert "b" not in {tag for tag, _ in page.elements}
    assert page.table("Newest forecasts of all symbols")[1][0] == HOSTILE
    assert "<" not in page.scripts[0]


def test_data_cannot_end_their_script(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)"
    page = page_of(tmp_path, PRICES, FORECASTS, SIGNALS, symbols=(hostile,))
    assert page.data[0]["symbols"] == [hostile]
    assert [tag for tag, _ in page.elements].count("script") == 2


def test_nothing_is_fetched_when_the_page_is_read(page: Page) -> None:
    assert {"link", "img", "iframe", "object", "use", "image"}.isdisjoint({tag for tag, _ in page.elements})
    assert not any("src" in given for tag, given in page.elements if tag == "script")
    assert re.search(r"https?:|url\(|@import|src=", page.markup) is None
    policy = next(
        given["content"] for _, given in page.elements if given.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert all(link.startswith("#") for tag, given in page.elements if tag == "a" and (link := given.get("href") or ""))


def test_without_a_symbol_there_is_no_script(tmp_path: Path) -> None:
    assert page_of(tmp_path).scripts == []


def test_headers_have_a_scope_plots_a_title_and_links_a_target(page: Page) -> None:
    assert all("scope" in given for tag, given in page.elements if tag == "th")
    plots = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page.markup, re.DOTALL)]
    assert plots
    assert all(svg.get("role") == "img" and next(svg.iter("title")).text for svg in plots)
    named = [given["id"] for _, given in page.elements if "id" in given]
    assert len(named) == len(set(named))
    for _, given in page.elements:
        for target in (given.get("aria-labelledby"), (given.get("href") or "")[1:] or None):
            assert target is None or target in named


def test_the_parts_come_in_order(page: Page) -> None:
    parts = "summary forecasts symbol-name skill verdicts ranks portfolios calibration backtest coverage changes query"
    assert [given["id"] for tag, given in page.elements if tag == "h2"] == parts.split()


@pytest.mark.parametrize(("source", "simulated"), [("simulated", True), ("files", False), ("yahoo", False)])
def test_simulated_prices_are_announced_and_real_ones_are_not(tmp_path: Path, source: str, *, simulated: bool) -> None:
    page = page_of(tmp_path, PRICES, source=source)
    assert ("Simulated prices: nothing below is a real market." in page.text) is simulated
    assert ("Simulated adjusted closes." in page.text) is simulated
    assert any(given.get("class") == "banner" for _, given in page.elements) is simulated


def test_prices_that_end_before_the_calendar_are_announced_first(tmp_path: Path, page: Page) -> None:
    old = "update meta set sessions_behind = 339, current_until = timestamp '2024-03-07 09:00:00'"
    behind = page_of(tmp_path, PRICES, afterwards=f"{old}; update meta set compared_with = timestamp '2024-03-06'")
    assert "Old prices of stocks: 339 sessions behind when this was published; newest 2024-03-06." in behind.text
    assert "Its prices end at 2024-03-06, 339 sessions behind." in behind.text
    assert "sessions behind" not in page.text
    [later] = [given for _, given in page.elements if given.get("class") == "banner later"]
    assert later["data-until"] == "2024-03-08T09:00:00Z"
    assert "hidden" in later  # the script of the page shows it from then on


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("'return, range'", "✓ return, range: beats baseline"),
        ("'range'", "✓ range: beats baseline"),
    ],
)
def test_a_verdict_beside_a_trend_names_its_questions(tmp_path: Path, question: str, label: str) -> None:
    page = page_of(tmp_path, *FULL, f"update signals set question = {question}")
    assert [one["verdict"] for one in page.data[0]["forecasts"]] == [label] * 2


def test_the_random_walk_is_selected_without_evidence_on_any_question(tmp_path: Path) -> None:
    walk = "update signals set model = 'random_walk', verdict = 'no_evidence', question = null"
    page = page_of(tmp_path, *FULL, walk)
    assert [one["verdict"] for one in page.data[0]["forecasts"]] == [
        "○ return, direction, range: no evidence of skill"
    ] * 2


def test_prices_alone_make_a_report_of_plain_sentences(tmp_path: Path) -> None:
    page = page_of(tmp_path, PRICES)
    for sentence in (
        "No verdicts yet: no forecast of stocks is scored",
        "No rank forecast of stocks yet",
        "No backtest of stocks yet",
        "No forecast of stocks is scored yet.",
        "No session of stocks has been requested yet.",
    ):
        assert sentence in page.text
    assert page.data[0]["forecasts"] == []


def test_a_market_without_prices_and_a_mart_without_markets_make_reports(tmp_path: Path) -> None:
    assert "No forecast has been made yet." in page_of(tmp_path, COVERAGE).text
    bare = page_of(tmp_path).text
    assert "The mart has no prices yet, so there are no forecasts." in bare
    for sentence in (
        "No market has verdicts yet.",
        "No forecast is scored yet.",
        "No session has been requested yet.",
    ):
        assert sentence in bare


def test_a_baseline_alone_is_no_comparison(tmp_path: Path) -> None:
    alone = "insert into leaderboard values ('stocks', 5, 'random_walk', 'return', 9, 1, 1, 0, 1, 1, 'no_evidence')"
    assert "No verdicts yet" in page_of(tmp_path, PRICES, alone).text


def test_a_signal_older_than_the_chart_is_listed(tmp_path: Path) -> None:
    old = (FORECASTS.replace("'2024-03-06'", "'2023-11-01'"), SIGNALS)
    (market,) = page_of(tmp_path, PRICES, *old, sessions=200).data
    assert market["sessions"][0] > "2023-11-01"
    assert {one["origin"] for one in market["forecasts"]} == {"2023-11-01"}


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


def test_a_missing_mart_is_an_error_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(MarketPipelineError, match="No mart is published at"):
        write_report(tmp_path / "mart.duckdb", tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_large_mart_is_read_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mart = report_of(tmp_path, *FULL).with_name("mart.duckdb")
    limits = list[object]()

    def reading(path: Path, sql: str) -> pa.Table:
        limits.extend(query(path, "select current_setting('memory_limit') as one")["one"].to_pylist())
        return query(path, sql)

    monkeypatch.setattr(contents, "query", reading)
    contents.read_markets(mart)
    assert set(limits) == {"953.6 MiB"}
