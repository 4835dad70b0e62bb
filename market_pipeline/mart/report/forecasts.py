"""The published forecasts of one market: signals by selected model, and rank forecasts."""

import datetime as dt
from dataclasses import dataclass

from market_pipeline.mart.report.queries import LISTED, TAIL
from market_pipeline.mart.report.rows import Rows, grouped
from market_pipeline.mart.report.sentences import BEATS, INSUFFICIENT, is_directional
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.scores import SIGNAL_QUESTIONS

RANK = "rank"
"""The question that rank forecasts answer."""

RETURNS = ("expected_return", "low_80", "high_80", "earlier_expected", "earlier_low", "earlier_high", *TAIL)
"""Columns of signals that the page shows in per cent."""


@dataclass(frozen=True)
class SelectedModel:
    """The signals of one model at one origin and horizon."""

    horizon: int
    as_of: dt.date
    model: str
    verdict: str
    questions: tuple[str, ...]
    """Those that the verdict is about; for the random walk all that a signal answers."""
    signals: Rows
    """Rows of `signals` with simple returns."""

    @property
    def wins(self) -> tuple[str, ...]:
        """The questions on which the model beats the baseline."""
        return self.questions if self.verdict == BEATS else ()

    @property
    def directional(self) -> bool:
        """Whether a direction is proven, so that the trend means something."""
        return is_directional(self.wins)


@dataclass(frozen=True)
class RankForecast:
    """The newest rank forecast of one model at one horizon; `symbols` is how many it ranks."""

    horizon: int
    as_of: dt.date
    model: str
    verdict: str
    symbols: int
    leaders: Rows
    """The symbols with the highest probability of the highest quintile; `chances` are those of all, lowest first."""

    @property
    def directional(self) -> bool:
        """Whether the two ends differ for any of the leaders by a per cent, the least that the page shows."""
        return any(abs(row["chances"][-1] - row["chances"][0]) >= 0.01 for row in self.leaders)


def selected_models(signals: Rows) -> tuple[SelectedModel, ...]:
    """The signals of one market by horizon, origin, model and verdict."""
    selected = []
    rows = [row | {name: simple_returns(row[name]) for name in RETURNS if row[name] is not None} for row in signals]
    groups = grouped(rows, "horizon", "as_of", "model", "verdict", "question")
    for (horizon, as_of, model, verdict, question), of_model in sorted(groups.items(), key=lambda item: item[0][:4]):
        about_all = SIGNAL_QUESTIONS if model == BASELINE else ()
        questions = tuple(question.split(", ")) if question else about_all
        selected.append(SelectedModel(horizon, as_of, model, verdict, questions, of_model))
    return tuple(selected)


def rank_forecasts(ranks: Rows, leaderboard: Rows) -> tuple[RankForecast, ...]:
    """The rank forecasts of one market by horizon, origin and model."""
    verdicts = {(row["horizon"], row["model"]): row["verdict"] for row in leaderboard if row["question"] == RANK}
    forecasts = []
    for (horizon, as_of, model), rows in sorted(grouped(ranks, "horizon", "origin", "model").items()):
        leaders = sorted(rows, key=lambda row: (-row["chances"][-1], row["symbol"]))[:LISTED]
        verdict = verdicts.get((horizon, model), INSUFFICIENT)
        forecasts.append(RankForecast(horizon, as_of, model, verdict, len(rows), leaders))
    return tuple(forecasts)
