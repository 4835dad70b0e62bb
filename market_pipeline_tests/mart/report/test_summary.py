"""The five lines at the top: what the mart knows, merged where markets agree, and nothing claimed without evidence."""

from pathlib import Path

from market_pipeline.mart.report.contents import read_markets
from market_pipeline.mart.report.summary import Line, summary_of
from market_pipeline_tests.mart.small_mart import FULL, PRICES, report_of

OTHER = (
    "insert into prices select 'coins', * exclude market from prices",
    "insert into signals select 'coins', * exclude market from signals",
)


def lines_of(folder: Path, *inserts: str, afterwards: str = "") -> dict[str, tuple[str, ...]]:
    report = report_of(folder, *inserts, afterwards=afterwards)
    lines = summary_of(read_markets(report.with_name("mart.duckdb")), None)
    return {line.title: line.sentences for line in lines}


def test_the_lines_come_in_order(tmp_path: Path) -> None:
    assert list(lines_of(tmp_path, *FULL)) == ["Data", "Changed", "Answers", "Distrust", "Symbols"]


def test_an_empty_mart_has_no_summary() -> None:
    found: tuple[Line, ...] = summary_of((), None)
    assert found == ()


def test_what_is_true_of_two_markets_is_one_sentence(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, PRICES, *OTHER)
    assert lines["Data"] == ("coins and stocks up to 2024-03-06, the newest session that was due.",)
    assert lines["Symbols"] == ("coins and stocks: all 2 symbols have a forecast.",)
    old = "update meta set sessions_behind = 3 where market = 'coins'"
    assert lines_of(tmp_path, PRICES, *OTHER, afterwards=old)["Data"] == (
        "coins up to 2024-03-06, 3 sessions behind.",
        "stocks up to 2024-03-06, the newest session that was due.",
    )


def test_a_question_is_answered_only_where_a_verdict_is_positive(tmp_path: Path) -> None:
    assert lines_of(tmp_path, *FULL)["Answers"] == (
        "Return: better than a random walk in stocks at 5 sessions by linear (12.3\u202f%).",
        "No evidence of skill on range.",
        "Too few origins to judge direction, rank, tail and portfolio.",
    )
    none = "update leaderboard set verdict = 'no_evidence'"
    assert lines_of(tmp_path, *FULL, none)["Answers"] == (
        "No evidence of skill on return, range and rank.",
        "Too few origins to judge direction, tail and portfolio.",
    )
    (unjudged,) = lines_of(tmp_path, PRICES)["Answers"]
    assert unjudged.startswith("No question is judged yet: a verdict needs")


def test_a_range_that_contains_too_few_outcomes_is_distrusted(tmp_path: Path) -> None:
    narrow = "update daily_scores set covered_80 = 0.7"
    assert "ranges" not in " ".join(lines_of(tmp_path, *FULL)["Distrust"])
    assert (
        "stocks, 1 session: linear; its 80\u202f% ranges contained 70\u202f% of the outcomes."
        in lines_of(tmp_path, *FULL, narrow)["Distrust"]
    )


def test_a_model_that_has_become_worse_is_distrusted_on_its_question(tmp_path: Path) -> None:
    worse = "update signals set verdict = 'worse', question = 'range'"
    assert (
        "stocks, 1 session: linear has become worse than a random walk on range."
        in lines_of(tmp_path, *FULL, worse)["Distrust"]
    )
