"""Issues the forecasts of every model at a range of origins within one month: distributions, and their rows."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.errors import PluginError
from market_pipeline.forecasts.rows import distribution_rows, is_complete, positions, tail_rows
from market_pipeline.models.calibration.distribution import Distribution, average
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import ENSEMBLE, FORECASTERS, MEMBERS, REFITTED, claims_of
from market_pipeline.models.forecasters.plugin import Plugin
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import BASELINE, FORECASTS, HORIZONS, TAILS

LOG = logging.getLogger(__name__)


class Issued(NamedTuple):
    """What is forecast at some origins."""

    forecasts: pa.Table
    """Rows of `forecasts`."""
    tails: pa.Table
    """Rows of `tails`, of the models that claim the range and of the forecasts that have rows."""
    distributions: Mapping[str, Mapping[int, Distribution]]
    """By model and horizon; (symbols of the market, origins). The source of all rows."""

    @property
    def with_tails(self) -> pa.Table:
        """The forecasts, each with its tail; NULL for those without one."""
        return self.forecasts.join(self.tails.drop_columns("target_session"), list(TAILS.key))


def issue(
    known: Panel,
    market: Market,
    origins: Days,
    parameters: Mapping[str, Parameters],
    trained_through: np.datetime64,
    now: dt.datetime,
    forecasters: Sequence[Forecaster] = FORECASTERS,
    *,
    report: Callable[[str], None] = LOG.warning,
) -> Issued:
    """Every model x symbol x horizon at each of `origins`, all of one month.

    `known` ends at the last origin or later; the row of an origin depends on nothing after it. A model has no row for a
    symbol without a bar at the origin or with too little history. No model has a row where the random walk has none,
    because every forecast is compared with it. A plugin that fails has no row, and its fault goes to `report`; one that
    was not trained for the month has none either.
    """
    targets = {horizon: market.session_after(origins, horizon) for horizon in HORIZONS}
    asked = Origins(known.history.position_of(origins), targets)
    issued = dict(_issued(forecasters, parameters, known, asked, report))
    issued[ENSEMBLE] = {horizon: average([issued[name][horizon] for name in MEMBERS]) for horizon in HORIZONS}
    baseline = {horizon: is_complete(distribution) for horizon, distribution in issued[BASELINE].items()}
    every = [(model, horizon, one) for model, found in issued.items() for horizon, one in found.items()]
    rows = pa.concat_tables(
        distribution_rows(market, origins, horizon, model, one, baseline[horizon]) for model, horizon, one in every
    )
    tails = [
        tail_rows(market, origins, horizon, model, one, baseline[horizon])
        for model, horizon, one in every
        if "range" in claims_of(model)
    ]
    columns = _origin_columns(rows, is_live(market, origins, now)[positions(origins, rows)], trained_through, now)
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return Issued(rows.select(FORECASTS.schema.names), pa.concat_tables(tails), issued)


def _origin_columns(
    rows: pa.Table, live: np.ndarray, trained_through: np.datetime64, now: dt.datetime
) -> Mapping[str, pa.Array]:
    """What forecasts were made from and when; `live` (rows,)."""
    cutoff = pa.scalar(trained_through.astype("datetime64[D]").item(), pa.date32())
    refitted = pc.is_in(rows["model"], pa.array(REFITTED, pa.string()))
    return {
        "trained_through": pc.if_else(refitted, rows["origin"], cutoff),
        "made_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), rows.num_rows),
        "mode": pa.array(np.where(live, "live", "replayed"), pa.string()),
    }


def _issued(
    forecasters: Sequence[Forecaster],
    parameters: Mapping[str, Parameters],
    known: Panel,
    asked: Origins,
    report: Callable[[str], None],
) -> Iterator[tuple[str, Mapping[int, Distribution]]]:
    """The distributions of each model by horizon."""
    for one in forecasters:
        if isinstance(one, Plugin) and one.name not in parameters:
            continue
        try:
            yield one.name, one.forecast(parameters[one.name], known, asked)
        except PluginError as error:
            report(str(error))


def is_live(market: Market, origins: Days, now: dt.datetime) -> np.ndarray:
    """Whether a forecast that is made `now` for each origin is live: before the next session closes; (origins,)."""
    live: np.ndarray = np.datetime64(now.replace(tzinfo=None), "s") < market.close_of(market.session_after(origins, 1))
    return live
