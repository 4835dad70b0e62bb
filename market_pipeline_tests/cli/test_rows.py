"""Which rows a command prints, in which order, and how many."""

import io

import pyarrow as pa
import pytest
from rich.console import Console

from market_pipeline.cli.answers import print_answers
from market_pipeline.cli.rows import FORECAST_ORDERS, VERDICT_ORDERS, narrowed
from market_pipeline.errors import ConfigurationError

ROWS = pa.Table.from_pylist(
    [
        {"market": "stocks", "symbol": "A", "horizon": 1, "width": 0.02, "p_up": 0.6},
        {"market": "stocks", "symbol": "B", "horizon": 1, "width": 0.05, "p_up": 0.5},
        {"market": "crypto", "symbol": "C", "horizon": 5, "width": 0.09, "p_up": None},
    ]
)
VERDICTS = pa.Table.from_pylist(
    [
        {
            "market": "stocks",
            "horizon": horizon,
            "model": model,
            "question": "range",
            "skill": skill,
            "verdict": verdict,
        }
        for horizon, model, skill, verdict in (
            (1, "har", 0.021, "beats_baseline"),
            (1, "ewma", 0.034, "beats_baseline"),
            (1, "random_walk", 0.0, "no_evidence"),
            (5, "har", -0.01, "worse"),
            (20, "har", None, "insufficient_data"),
        )
    ]
)


def symbols(**wanted: str | int | None) -> list[str]:
    found: list[str] = narrowed(ROWS, FORECAST_ORDERS, **wanted)["symbol"].to_pylist()  # type: ignore[arg-type]
    return found


def test_rows_are_narrowed_sorted_and_limited() -> None:
    assert symbols() == ["A", "B", "C"]
    assert symbols(market="stocks", horizon=1) == ["A", "B"]
    assert symbols(sort="width") == ["C", "B", "A"]
    assert symbols(sort="width", limit=2) == ["C", "B"]
    assert symbols(sort="p-up") == ["A", "B", "C"]  # what is missing comes last
    assert symbols(sort="symbol", limit=10) == ["A", "B", "C"]
    assert narrowed(VERDICTS, VERDICT_ORDERS, sort="skill")["model"].to_pylist()[:2] == ["ewma", "har"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"market": "bonds"}, "nothing of the market 'bonds'. It has crypto, stocks"),
        ({"horizon": 7}, "nothing of the horizon 7. It has 1, 5"),
        ({"market": "stocks", "horizon": 5}, "nothing of the horizon 5. It has 1"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(wanted: dict[str, str | int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^The mart has ") as refused:
        symbols(**wanted)
    assert message in str(refused.value)


def test_each_question_has_one_line_with_the_best_model_of_each_horizon() -> None:
    paper = io.StringIO()
    print_answers(Console(file=paper, width=100), VERDICTS)
    [line] = [line for line in paper.getvalue().splitlines() if line.startswith("stocks")]
    assert "ewma +3.4%, 1 more" in line
    assert "no evidence" in line
    assert "insufficient data" in line
    assert line.index("ewma") < line.index("no evidence") < line.index("insufficient data")
    assert "A cell names the best model" in paper.getvalue()


def test_where_no_model_wins_the_reason_is_below_the_table() -> None:
    paper, place = io.StringIO(), VERDICTS.schema.get_field_index("verdict")
    nothing = VERDICTS.set_column(place, "verdict", pa.repeat("no_evidence", VERDICTS.num_rows))
    print_answers(Console(file=paper, width=200), nothing.append_column("n_origins", pa.repeat(120, nothing.num_rows)))
    assert "None does by more than luck, after 120 origins at most." in paper.getvalue()
