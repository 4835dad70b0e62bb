"""Cut the source off at an origin: no indicator and no forecast at or before it may change. And plant a leak to see."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.indicators import writing as indicators_writing
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.registry.training import Month, train
from market_pipeline.sources.protocol import Fetched
from market_pipeline.sources.simulated import SimulatedSource
from market_pipeline.storage.store import Store
from market_pipeline_tests.pipeline import Pipeline

START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 12), dt.date(2024, 3, 15)
MONTHS = (dt.date(2024, 2, 1), dt.date(2024, 3, 1))
SESSIONS = np.busday_offset(FIRST, np.arange(24))
ORIGINS = [day.item() for day in np.random.default_rng(20240212).choice(SESSIONS, 3, replace=False)]
LEAKY_ORIGIN = dt.date(2024, 2, 28)


@dataclass(frozen=True)
class CutSource:
    """The simulated source, ending at a session."""

    cut: dt.date
    name: str = "simulated"

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        whole = SimulatedSource().fetch(market, symbols, first, last)
        known = whole.bars["session"].to_numpy() <= np.datetime64(self.cut)
        return Fetched(whole.bars[known].reset_index(drop=True), whole.outcomes)

    def problem(self) -> str | None:
        return None


def built(folder: Path, cut: dt.date = LAST) -> Pipeline:
    pipeline = Pipeline(folder, source=CutSource(cut))
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), *MONTHS)
    pipeline.compute(("forecasts", "scores"), FIRST, LAST)
    return pipeline


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return built(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("origin", ORIGINS, ids=str)
def test_what_comes_after_an_origin_changes_nothing_before_it(whole: Pipeline, tmp_path: Path, origin: dt.date) -> None:
    ended = built(tmp_path, origin)
    for table in ("indicators", "forecasts", "scores"):
        assert ended.digest(table, until=origin) == whole.digest(table, until=origin), table


def test_a_leak_of_one_row_in_an_indicator_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = indicators_writing.compute_indicators

    def leaky(history: Any) -> Any:
        grids = real(history)
        name = next(iter(grids))
        return grids | {name: np.roll(grids[name], -1, axis=1)}

    monkeypatch.setattr(indicators_writing, "compute_indicators", leaky)
    assert_seen(tmp_path, "indicators")


def test_a_leak_of_one_row_in_what_a_model_knows_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Panel.until

    def leaky(panel: Panel, session: np.datetime64) -> Panel:
        end = int(np.searchsorted(panel.history.sessions, session))
        late = panel.history.sessions[min(end + 1, len(panel.history.sessions) - 1)]
        known = real(panel, late)
        features = np.roll(known.recent, -1, axis=2)
        return Panel(known.history, features, known.feature_names) if late > session else known

    monkeypatch.setattr(Panel, "until", leaky)
    monkeypatch.setattr("market_pipeline.models.assets.train", train_without_its_guard)
    assert_seen(tmp_path, "forecasts")


def assert_seen(folder: Path, table: str) -> None:
    whole, ended = built(folder / "whole"), built(folder / "cut", LEAKY_ORIGIN)
    assert ended.digest(table, until=LEAKY_ORIGIN) != whole.digest(table, until=LEAKY_ORIGIN)


def train_without_its_guard(
    panel: Panel, months: Sequence[Month], store: Store, market: str, now: dt.datetime, **others: Any
) -> Any:
    """Training refuses a panel that ends after the month's cutoff; the planted leak takes that guard out, too."""
    for month in months:
        past = panel.until(np.datetime64(month.cutoff))
        [rows] = train(past, [Month(month.first, past.history.sessions[-1].item())], store, market, now, **others)
        column = rows.column_names.index("trained_through")
        yield rows.set_column(column, "trained_through", [[month.cutoff] * rows.num_rows])
