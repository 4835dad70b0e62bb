"""Eight leaks of the future, each planted and each caught by the checks of every run; and no false alarm."""

import datetime as dt
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from market_pipeline.config.markets import Market
from market_pipeline.forecasts import issue as issuing
from market_pipeline.forecasts import look_ahead as forecasts_look_ahead
from market_pipeline.forecasts.holdings import Holding
from market_pipeline.forecasts.portfolios import portfolio_rows
from market_pipeline.forecasts.replay import issued_again, reissued, rows_of
from market_pipeline.indicators import look_ahead as indicators_look_ahead
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.models.calibration.distribution import Distribution, QuantileFunction
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.samples import LookAheadError, purged_split, require_purged, training_samples
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.har import Har
from market_pipeline.models.forecasters.linear import Linear
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.look_ahead import saw_its_future
from market_pipeline.prices.history import History, adjusted
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline_tests.cluster.share import FULL

SYMBOLS = tuple(f"S{number}" for number in range(20))
MARKET = Market("stocks", "XNYS", dt.date(2020, 1, 2), SYMBOLS)
SESSIONS = MARKET.sessions[:460]
CUTOFF = int(np.flatnonzero(SESSIONS[400].astype("datetime64[M]") > SESSIONS)[-1])
ORIGIN = 405


@pytest.fixture(scope="module")
def bars() -> dict[str, Grid]:
    """Bars as traded, with a split of each second symbol near the end."""
    draw = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.02, (len(SYMBOLS), len(SESSIONS))), axis=1))
    opened = close * np.exp(draw.normal(0, 0.005, close.shape))
    ratio = np.ones_like(close)
    ratio[::2, 430] = 2.0
    scale = np.cumprod(ratio, axis=1)
    prices = {"open": opened, "close": close, "high": np.maximum(opened, close) * 1.005}
    prices["low"] = np.minimum(opened, close) * 0.995
    volume = draw.uniform(1e5, 1e6, close.shape)
    traded = {name: grid / scale for name, grid in prices.items()}
    return {**traded, "volume": volume, "dividend": np.zeros_like(close), "split_ratio": ratio}


def history_until(bars: Mapping[str, Grid], end: int) -> History:
    """What the reader of history gives up to a session: adjusted from bars that end there."""
    return adjusted(SYMBOLS, SESSIONS[: end + 1], {name: grid[:, : end + 1] for name, grid in bars.items()})


def panel_until(bars: Mapping[str, Grid], end: int) -> Panel:
    history = history_until(bars, end)
    grids = compute_indicators(history)
    return Panel(history, np.stack(list(grids.values())).astype(np.float32), tuple(grids))


@pytest.fixture(scope="module")
def wide(bars: dict[str, Grid]) -> Panel:
    return panel_until(bars, len(SESSIONS) - 1)


@pytest.fixture(scope="module")
def parameters(wide: Panel) -> dict[str, Parameters]:
    past = wide.until(SESSIONS[CUTOFF])
    with threadpool_limits(1):  # as training does
        return {forecaster.name: forecaster.fit(past) for forecaster in FORECASTERS}


def leaky_indicators(leak: Callable[[History, dict[str, Grid]], Grid]) -> Callable[[History], dict[str, Grid]]:
    """The catalogue, one of whose indicators is computed by `leak`."""

    def compute(history: History) -> dict[str, Grid]:
        grids = compute_indicators(history)
        return grids | {"planted": leak(history, grids)}

    return compute


def shifted(history: History, grids: dict[str, Grid]) -> Grid:
    """shift(-1): tomorrow's value in today's row."""
    return np.roll(next(iter(grids.values())), -1, axis=1)


def centred(history: History, grids: dict[str, Grid]) -> Grid:
    """A mean over the five sessions around each."""
    padded = np.pad(np.log(history.close), ((0, 0), (2, 2)), mode="edge")
    return np.mean([padded[:, step : step + history.close.shape[1]] for step in range(5)], axis=0) - np.log(
        history.close
    )


def back_filled(history: History, grids: dict[str, Grid]) -> Grid:
    """Every third value unknown, and taken from the next one that is known."""
    known = np.arange(history.close.shape[1])
    following = np.minimum(-(-known // 3) * 3, len(known) - 1)
    return np.log(history.close)[:, following] - np.log(history.close)


def scaled_over_everything(history: History, grids: dict[str, Grid]) -> Grid:
    """Standard scores whose mean and spread are those of the whole sample."""
    returns = np.diff(np.log(history.close), axis=1, prepend=np.nan)
    return (returns - np.nanmean(returns, axis=1, keepdims=True)) / np.nanstd(returns, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "leak", [shifted, centred, back_filled, scaled_over_everything], ids=lambda leak: leak.__name__
)
def test_an_indicator_that_sees_its_future_is_caught(
    bars: dict[str, Grid], monkeypatch: pytest.MonkeyPatch, leak: Callable[[History, dict[str, Grid]], Grid]
) -> None:
    compute = leaky_indicators(leak)
    monkeypatch.setattr(indicators_look_ahead, "compute_indicators", compute)
    cut, whole = history_until(bars, 401), history_until(bars, len(SESSIONS) - 1)
    stored = {name: grid[:, 401] for name, grid in compute(whole).items()}
    assert indicators_look_ahead.saw_their_future(stored, cut, whole) == ["planted"]


def test_a_price_adjusted_with_a_later_split_is_caught(bars: dict[str, Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    def level(history: History, grids: dict[str, Grid]) -> Grid:
        return np.log(history.close)

    def backwards(end: int) -> History:
        """Adjusted so that the newest price is the one that was traded, as vendors do."""
        history = history_until(bars, end)
        scale = bars["close"][:, end : end + 1] / history.close[:, -1:]
        return replace(history, **{name: getattr(history, name) * scale for name in ("open", "high", "low", "close")})

    compute = leaky_indicators(level)
    monkeypatch.setattr(indicators_look_ahead, "compute_indicators", compute)
    whole = backwards(len(SESSIONS) - 1)
    stored = {name: grid[:, 401] for name, grid in compute(whole).items()}
    seen = indicators_look_ahead.saw_their_future(stored, backwards(401), whole)
    assert "planted" in seen
    correct = {name: grid[:, 401] for name, grid in compute(history_until(bars, len(SESSIONS) - 1)).items()}
    assert not indicators_look_ahead.saw_their_future(
        correct, history_until(bars, 401), history_until(bars, len(SESSIONS) - 1)
    )


@dataclass(frozen=True)
class Overlapping(Linear):
    """Trains on samples whose targets lie past the cutoff."""

    whole: Any = None

    def fit(self, past: Panel) -> Parameters:
        end = min(len(past.history.sessions) + 20, len(self.whole.history.sessions))
        return super().fit(self.whole.until(self.whole.history.sessions[end - 1]))


def test_a_target_that_overlaps_the_origin_is_caught(wide: Panel, parameters: dict[str, Parameters]) -> None:
    cutoff = SESSIONS[CUTOFF]
    leaky = Overlapping(whole=wide)
    learned = leaky.fit(wide.until(cutoff))
    assert saw_its_future(Linear(), learned, wide, cutoff, MARKET)
    assert not saw_its_future(Linear(), parameters["linear"], wide, cutoff, MARKET)

    [samples] = training_samples(wide.until(cutoff), [20], window=1000, at_most=200_000)
    _, late = purged_split(samples, 20)
    with pytest.raises(LookAheadError, match="after the first held-out origin"):
        require_purged(samples, np.flatnonzero(samples.origin <= samples.origin[late].min() - 10), late)
    assert (samples.realised <= CUTOFF).all()


def chosen_by_later_return(known: Panel, *rest: Any) -> Any:
    """The forecasts of the symbols that did best by the end of what is known."""
    issued = real_issue(known, *rest)
    level = np.log(known.history.close)
    best = np.argsort(level[:, -1] - level[:, ORIGIN])[-10:]
    names = [known.history.symbols[place] for place in best]
    chosen = np.isin(issued.forecasts["symbol"].to_numpy(zero_copy_only=False), names)
    return issued._replace(forecasts=issued.forecasts.filter(chosen))


real_issue = issuing.issue


def test_a_symbol_chosen_by_its_later_return_is_caught(
    bars: dict[str, Grid], wide: Panel, parameters: dict[str, Parameters], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.forecasts.replay.issue", chosen_by_later_return)
    origin = SESSIONS[ORIGIN].astype("datetime64[D]").item()
    stored = reissued(wide, MARKET, origin, parameters)
    cut = panel_until(bars, ORIGIN)
    assert forecasts_look_ahead.saw_their_future(stored, cut, wide, MARKET, parameters) > 0


@dataclass(frozen=True)
class Knowing(Linear):
    """Adds to the mean a part of the return up to the end of the panel."""

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        forecasts = super().forecast(parameters, known, origins)
        level = np.log(known.history.close)
        hint = (level[:, -1:] - level[:, origins.position]) / 100
        return {h: replace(forecasts[h], mean=forecasts[h].mean + hint) for h in HORIZONS}


def test_a_model_that_looks_at_the_end_of_its_panel_is_caught(
    bars: dict[str, Grid], wide: Panel, parameters: dict[str, Parameters], monkeypatch: pytest.MonkeyPatch
) -> None:
    knowing = tuple(Knowing() if forecaster.name == "linear" else forecaster for forecaster in FORECASTERS)
    monkeypatch.setattr(issuing.issue, "__defaults__", (knowing,))
    stored = reissued(wide, MARKET, SESSIONS[ORIGIN].astype("datetime64[D]").item(), parameters)
    cut = panel_until(bars, ORIGIN)
    assert forecasts_look_ahead.saw_their_future(stored, cut, wide, MARKET, parameters) > 0


@dataclass(frozen=True)
class Foreseeing(Har):
    """Its nine quantiles are right; its tail is wider where the symbol falls later."""

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        forecasts = super().forecast(parameters, known, origins)
        level = np.log(known.history.close)
        falls = level[:, -1:] < level[:, origins.position]
        return {h: replace(one, quantile_function=self.wider(one, falls)) for h, one in forecasts.items()}

    def wider(self, one: Distribution, falls: np.ndarray) -> QuantileFunction:
        assert one.quantile_function is not None
        function = one.quantile_function
        return lambda levels: function(levels) * (1 + 0.01 * falls[..., None])


def test_a_tail_that_looks_at_the_end_of_its_panel_is_caught(
    bars: dict[str, Grid], wide: Panel, parameters: dict[str, Parameters], monkeypatch: pytest.MonkeyPatch
) -> None:
    foreseeing = tuple(Foreseeing() if forecaster.name == "har" else forecaster for forecaster in FORECASTERS)
    monkeypatch.setattr(issuing.issue, "__defaults__", (foreseeing,))
    stored = reissued(wide, MARKET, SESSIONS[ORIGIN].astype("datetime64[D]").item(), parameters)
    cut = panel_until(bars, ORIGIN)
    assert forecasts_look_ahead.saw_their_future(stored, cut, wide, MARKET, parameters) > 0


@pytest.mark.parametrize("leaky", [False, True])
def test_a_joint_model_that_looks_beyond_the_month_before_is_caught(
    bars: dict[str, Grid],
    wide: Panel,
    parameters: dict[str, Parameters],
    monkeypatch: pytest.MonkeyPatch,
    *,
    leaky: bool,
) -> None:
    if leaky:
        monkeypatch.setattr(History, "until", lambda history, _: history)
    origin, days = SESSIONS[ORIGIN].astype("datetime64[D]").item(), SESSIONS[ORIGIN : ORIGIN + 1]
    issued = issued_again(wide, MARKET, origin, parameters)
    held = [[Holding("pair", {MARKET.symbols[0]: 0.5, MARKET.symbols[1]: -0.5}, {})]]
    portfolios = portfolio_rows(wide.history, MARKET, days, issued.distributions, held).tables
    cut = panel_until(bars, ORIGIN)
    again = (rows_of(issued), cut, wide, MARKET, parameters, forecasts_look_ahead.NONE, portfolios)
    assert (forecasts_look_ahead.saw_their_future(*again) > 0) == leaky


def test_in_clean_checks_there_is_no_false_alarm(
    bars: dict[str, Grid], wide: Panel, parameters: dict[str, Parameters]
) -> None:
    """A check is one symbol at one session: 445 sessions of indicators and 55 origins of forecasts, 20 symbols each.

    In full they are ten thousand, and a quarter of them unless MARKET_PIPELINE_TEST_FULL is set.
    """
    every = 1 if os.environ.get(FULL) else 4
    alarms = 0
    computed = compute_indicators(wide.history)
    for end in range(12, 457)[::every]:
        stored = {name: grid[:, end] for name, grid in computed.items()}
        alarms += len(indicators_look_ahead.saw_their_future(stored, history_until(bars, end), wide.history))
    for end in range(401, 456)[::every]:
        rows = reissued(wide, MARKET, SESSIONS[end].astype("datetime64[D]").item(), parameters)
        alarms += forecasts_look_ahead.saw_their_future(rows, wide.until(SESSIONS[end]), wide, MARKET, parameters)
    assert alarms == 0
