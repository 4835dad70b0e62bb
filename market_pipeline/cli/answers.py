"""Which questions have an answer: for each market, question and horizon the best model that beats the baseline."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from market_pipeline.storage.tables.forecasts import BASELINE

Row: TypeAlias = Mapping[str, Any]

NO_EVIDENCE, INSUFFICIENT_DATA = "[dim]no evidence[/]", "[dim]insufficient data[/]"


def print_answers(console: Console, leaderboard: pa.Table) -> None:
    """One line per market and question; a cell names a model whose verdict is `beats_baseline`, with its skill."""
    rows = [row for row in leaderboard.to_pylist() if row["model"] != BASELINE]
    table = Table(title="\nDoes a model beat the random walk?", title_justify="left", title_style="bold", box=None,
                  pad_edge=False, padding=(0, 1))  # fmt: skip
    horizons = sorted({row["horizon"] for row in rows})
    for name in ("market", "question", *(f"{steps} session{'s' * (steps > 1)}" for steps in horizons)):
        table.add_column(name, no_wrap=True)
    for market, question in dict.fromkeys((row["market"], row["question"]) for row in rows):
        of_question = [row for row in rows if (row["market"], row["question"]) == (market, question)]
        table.add_row(market, question, *(answer([row for row in of_question if row["horizon"] == steps])
                                          for steps in horizons))  # fmt: skip
    console.print(table)
    if any(row["verdict"] == "beats_baseline" for row in rows):
        meaning = "A cell names the best model that does, with its skill."
    else:
        most = max((row["n_origins"] for row in rows), default=0)
        meaning = f"None does by more than luck, after {most} origins at most. A small lead takes years to be proven."
    console.print(f"[dim]{meaning} All: market-pipeline verdicts[/]")


def answer(rows: Sequence[Row]) -> str:
    """The answer to one question at one horizon, of the rows of all models.

    >>> answer([{"model": "har", "verdict": "beats_baseline", "skill": 0.021},
    ...         {"model": "ewma", "verdict": "beats_baseline", "skill": 0.013}])
    '[bold green]har +2.1%[/], 1 more'
    >>> answer([{"model": "har", "verdict": "worse", "skill": -0.1}])
    '[dim]no evidence[/]'
    """
    beating = sorted((row for row in rows if row["verdict"] == "beats_baseline"), key=lambda row: -row["skill"])
    if beating:
        more = f", {len(beating) - 1} more" if len(beating) > 1 else ""
        return f"[bold green]{beating[0]['model']} {beating[0]['skill']:+.1%}[/]{more}"
    return NO_EVIDENCE if any(row["verdict"] != "insufficient_data" for row in rows) else INSUFFICIENT_DATA
