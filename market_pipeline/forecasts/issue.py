"""What every model says at a range of origins within one month, as rows."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.storage.tables.forecasts import HORIZONS, QUANTILES
from market_pipeline.models.features.samples import Panel
from market_pipeline.models.forecasters.catalogue import ENSEMBLE, FORECASTERS, MEMBERS, REFITTED, ensemble
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Mask, to_rows


def issue(
    known: Panel,
    market: Market,
    origins: Days,
    parameters: Mapping[str, Parameters],
    trained_through: np.datetime64,
    now: dt.datetime,
    forecasters: Sequence[Forecaster] = FORECASTERS,
) -> pa.Table:
    """Rows of `forecasts`: every model x symbol x horizon at each of `origins`, all of one month.

    `known` ends at the last origin or later; the row of an origin depends on nothing after it. A symbol without a bar
    at the origin, or whose past is too short for a model, has no row of it; nor of any where the random walk, beside
    which every forecast is to be read, has none.
    """
    asked = Origins(
        position=known.history.position_of(origins),
        targets={horizon: market.session_after(origins, horizon) for horizon in HORIZONS},
    )
    said = {
        forecaster.name: forecaster.forecast(parameters[forecaster.name], known, asked) for forecaster in forecasters
    }
    said[ENSEMBLE] = {horizon: ensemble([said[name][horizon] for name in MEMBERS]) for horizon in HORIZONS}
    live = is_live(market, origins, now)
    baseline = {horizon: speaks(distribution) for horizon, distribution in said.get(BASELINE, {}).items()}
    tables = []
    for model, by_horizon in said.items():
        through = origins if model in REFITTED else np.full(len(origins), trained_through)
        for horizon, distribution in by_horizon.items():
            rows = distribution_rows(market.symbols, origins, distribution, baseline.get(horizon))
            place = np.searchsorted(origins, rows["origin"].to_numpy().astype("datetime64[D]"))
            by_origin = {
                "target_session": pa.array(asked.targets[horizon][place], pa.date32()),
                "trained_through": pa.array(through.astype("datetime64[D]")[place], pa.date32()),
                "mode": pa.array(np.where(live[place], "live", "replayed"), pa.string()),
            }
            constant = {"horizon": pa.scalar(horizon, pa.int32()), "model": pa.scalar(model)}
            constant["made_at"] = pa.scalar(now.replace(tzinfo=None), pa.timestamp("us"))
            for name, values in by_origin.items():
                rows = rows.append_column(name, values)
            for name, value in constant.items():
                rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
            tables.append(rows)
    return pa.concat_tables(tables)


def is_live(market: Market, origins: Days, now: dt.datetime) -> np.ndarray:
    """Whether what is said `now` of each origin is said before the next session closes; (origins,)."""
    live: np.ndarray = np.datetime64(now.replace(tzinfo=None), "s") < market.close_of(market.session_after(origins, 1))
    return live


def speaks(distribution: Distribution) -> Mask:
    """Where a distribution says something; (symbols, origins)."""
    whole: Mask = np.isfinite(distribution.quantiles).all(axis=-1) & np.isfinite(distribution.mean)
    return whole & np.isfinite(distribution.p_up)


def distribution_rows(
    symbols: tuple[str, ...], origins: Days, distribution: Distribution, where: Mask | None = None
) -> pa.Table:
    """One row per symbol and origin that the distribution says something about; only `where` that is True."""
    grids = {"mean": distribution.mean, "p_up": distribution.p_up}
    grids |= {name: distribution.quantiles[..., place] for place, name in enumerate(QUANTILES)}
    said = speaks(distribution)
    return to_rows(symbols, origins, grids, said if where is None else said & where, day="origin")
