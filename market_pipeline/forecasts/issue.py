"""Issues the forecasts of every model at a range of origins within one month, as rows."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.errors import PluginError
from market_pipeline.models.calibration.distribution import Distribution, average
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import ENSEMBLE, FORECASTERS, MEMBERS, REFITTED
from market_pipeline.models.forecasters.plugin import Plugin
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Grid, Mask, to_rows
from market_pipeline.storage.tables.forecasts import BASELINE, FORECASTS, HORIZONS, QUANTILES

LOG = logging.getLogger(__name__)


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
) -> pa.Table:
    """Rows of `forecasts`: every model x symbol x horizon at each of `origins`, all of one month.

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
    rows = pa.concat_tables(
        distribution_rows(market, origins, horizon, model, distribution, baseline[horizon])
        for model, by_horizon in issued.items()
        for horizon, distribution in by_horizon.items()
    )
    live = is_live(market, origins, now)[_positions(origins, rows)]
    cutoff = pa.scalar(trained_through.astype("datetime64[D]").item(), pa.date32())
    refitted = pc.is_in(rows["model"], pa.array(REFITTED, pa.string()))
    columns = {
        "trained_through": pc.if_else(refitted, rows["origin"], cutoff),
        "made_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), rows.num_rows),
        "mode": pa.array(np.where(live, "live", "replayed"), pa.string()),
    }
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows.select(FORECASTS.schema.names)


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


def is_complete(distribution: Distribution) -> Mask:
    """Where all numbers of a distribution are finite; (symbols, origins)."""
    complete: Mask = np.isfinite(distribution.quantiles).all(axis=-1) & np.isfinite(distribution.mean)
    return complete & np.isfinite(distribution.p_up)


def distribution_rows(
    market: Market, origins: Days, horizon: int, model: str, distribution: Distribution, where: Mask | None = None
) -> pa.Table:
    """The key columns and numbers of `forecasts` where a distribution is complete; only `where` that is True."""
    grids = {"mean": distribution.mean, "p_up": distribution.p_up}
    grids |= {name: distribution.quantiles[..., place] for place, name in enumerate(QUANTILES)}
    complete = is_complete(distribution)
    return keyed_rows(market, origins, horizon, model, grids, complete if where is None else complete & where)


def keyed_rows(
    market: Market, origins: Days, horizon: int, model: str, grids: Mapping[str, Grid], where: Mask
) -> pa.Table:
    """A row for each symbol and origin `where` (symbols, origins) is True, with its target session, horizon and model.

    `grids` are (symbols, origins), one for each further column.
    """
    rows = to_rows(market.symbols, origins, grids, where, day="origin")
    target = market.session_after(origins, horizon)[_positions(origins, rows)]
    rows = rows.append_column("target_session", pa.array(target, pa.date32()))
    rows = rows.append_column("horizon", pa.repeat(pa.scalar(horizon, pa.int32()), rows.num_rows))
    return rows.append_column("model", pa.repeat(model, rows.num_rows))


def _positions(origins: Days, rows: pa.Table) -> np.ndarray:
    positions: np.ndarray = np.searchsorted(origins, rows["origin"].to_numpy().astype("datetime64[D]"))
    return positions
