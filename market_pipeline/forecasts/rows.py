"""Distributions as rows of tables: one for each symbol and origin, with its target session, horizon and model."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.calibration.tails import tails_of
from market_pipeline.storage.grids import Days, Grid, Mask, to_rows
from market_pipeline.storage.tables.forecasts import QUANTILES, TAILS, TAILS_AT


def is_complete(distribution: Distribution) -> Mask:
    """Where all numbers of a distribution are finite; (symbols, origins)."""
    complete: Mask = np.isfinite(distribution.quantiles).all(axis=-1) & np.isfinite(distribution.mean)
    return complete & np.isfinite(distribution.p_up)


def distribution_rows(
    market: Market, origins: Days, horizon: int, model: str, distribution: Distribution, where: Mask
) -> pa.Table:
    """The key columns and numbers of `forecasts` where a distribution is complete and `where` is True."""
    grids = {"mean": distribution.mean, "p_up": distribution.p_up}
    grids |= {name: distribution.quantiles[..., place] for place, name in enumerate(QUANTILES)}
    return keyed_rows(market, origins, horizon, model, grids, is_complete(distribution) & where)


def tail_rows(
    market: Market, origins: Days, horizon: int, model: str, distribution: Distribution, where: Mask
) -> pa.Table:
    """Rows of `tails` of the same forecasts, for those that have a tail at one level or more."""
    found = tails_of(distribution)
    if found is None:
        return TAILS.schema.empty_table()
    grids = {
        f"{kind}_{name}": values[..., place]
        for kind, values in (("var", found.value_at_risk), ("es", found.shortfall))
        for place, name in enumerate(TAILS_AT)
    }
    known = np.isfinite(found.value_at_risk).any(axis=-1)
    rows = keyed_rows(market, origins, horizon, model, grids, is_complete(distribution) & where & known)
    return rows.select(TAILS.schema.names).cast(TAILS.schema)


def keyed_rows(
    market: Market, origins: Days, horizon: int, model: str, grids: Mapping[str, Grid], where: Mask
) -> pa.Table:
    """A row for each symbol and origin `where` (symbols, origins) is True, with its target session, horizon and model.

    `grids` are (symbols, origins), one for each further column.
    """
    rows = to_rows(market.symbols, origins, grids, where, day="origin")
    target = market.session_after(origins, horizon)[positions(origins, rows)]
    rows = rows.append_column("target_session", pa.array(target, pa.date32()))
    rows = rows.append_column("horizon", pa.repeat(pa.scalar(horizon, pa.int32()), rows.num_rows))
    return rows.append_column("model", pa.repeat(model, rows.num_rows))


def positions(origins: Days, rows: pa.Table) -> np.ndarray:
    """The place of each row's origin among `origins`."""
    found: np.ndarray = np.searchsorted(origins, rows["origin"].to_numpy().astype("datetime64[D]"))
    return found
