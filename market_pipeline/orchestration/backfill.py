"""Which Dagster runs a range of sessions needs. Starts none."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from market_pipeline.config.markets import Market
from market_pipeline.errors import ConfigurationError
from market_pipeline.orchestration.chain import ASSETS, CHAIN, chain_of
from market_pipeline.sources.protocol import Source, beyond_its_end, newest_available
from market_pipeline.storage.warehouse import Warehouse

COMPUTED = """
select distinct c.session from coverage c left join indicators i using (market, session)
where c.market = $market and (i.session is not null or c.present = 0)
"""
TRAINED = "select count(*) as rows from models where market = $market and month = $month"


@dataclass(frozen=True)
class PlannedRun:
    """One Dagster run: assets of a market over a range of sessions, or of months."""

    market: str
    assets: tuple[str, ...]
    first: dt.date
    last: dt.date

    @property
    def title(self) -> str:
        names = ", ".join(self.assets)
        return names if all(ASSETS[name].shared for name in self.assets) else f"{self.market}: {names}"

    @property
    def parts_of(self) -> dict[str, int]:
        """The parts of each asset's work by which progress is counted: months, if its log has a line for each."""
        months = 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1
        return {asset: months if ASSETS[asset].logs_months else 1 for asset in self.assets}

    @property
    def parts(self) -> int:
        return sum(self.parts_of.values())


def plan(
    market: Market,
    warehouse: Warehouse,
    first: dt.date,
    last: dt.date,
    assets: Sequence[str],
    *,
    from_start: bool,
    cut: bool = False,
) -> list[PlannedRun]:
    """The runs that a range needs: one over sessions, one over the months of the models, one over what needs these.

    Indicators accumulate from the market's start: with `from_start`, the first run begins at the oldest session whose
    indicators are missing. With `cut`, an asset whose ranges several hosts compute at once is a run of its own. Raises
    ConfigurationError when the market has none of the assets.
    """
    chosen = [asset for asset in chain_of(market) if asset.name in assets]
    if not chosen:
        raise ConfigurationError(
            f'{market.name} names no second source. Set cross_check, such as cross_check = "bitstamp", '
            f"in [{market.name}]."
        )
    inputs, monthly, outputs = (tuple(stage) for _, stage in groupby(CHAIN, lambda asset: asset.partition == "month"))
    since = oldest_absent(market, warehouse, first) if from_start else first
    stages = ((inputs, since, last), (monthly, first.replace(day=1), last.replace(day=1)), (outputs, first, last))
    runs = [
        PlannedRun(market.name, tuple(asset.name for asset in stage if asset in chosen), start, end)
        for stage, start, end in stages
    ]
    return [part for run in runs if run.assets for part in (apart(run) if cut else [run])]


def apart(run: PlannedRun) -> list[PlannedRun]:
    """The same assets in their order, those of which ranges may be computed at once each in a run of its own."""
    groups = groupby(run.assets, lambda name: name if ASSETS[name].at_most else "")
    return [replace(run, assets=tuple(names)) for _, names in groups]


def oldest_absent(market: Market, warehouse: Warehouse, first: dt.date) -> dt.date:
    """The oldest session before `first` that was never requested or has no indicators; `first` if there is none.

    Creates no warehouse.
    """
    there = warehouse.exists()
    computed = set(warehouse.read(COMPUTED, {"market": market.name})["session"].to_pylist()) if there else set()
    past = market.sessions_between(market.start, first - dt.timedelta(days=1)).tolist()
    return min((session for session in past if session not in computed), default=first)


def check_range(market: Market, first: dt.date, last: dt.date, now: dt.datetime) -> tuple[dt.date, dt.date]:
    """The first and last closed session of a range; raises ConfigurationError when it cannot be loaded."""
    newest = market.newest_closed(now)
    if first > last:
        raise ConfigurationError(f"The range ends ({last}) before it starts ({first}). Swap --start and --end.")
    if newest is None or last > newest:
        raise ConfigurationError(
            f"{market.name}: the range ends at {last}, but the newest closed session is {newest}. "
            f"Later sessions have no final prices yet: end at {newest} or before."
        )
    if first < market.start:
        raise ConfigurationError(
            f"{market.name} starts at {market.start}, but the range starts at {first}. Start later, or set an earlier "
            f"start for [{market.name}] in the markets file."
        )
    sessions = market.sessions_between(first, last)
    if not len(sessions):
        raise ConfigurationError(
            f"{market.name} has no session from {first} to {last}: {market.calendar_name} was closed."
        )
    return sessions[0].item(), sessions[-1].item()


def check_end(source: Source, market: Market, first: dt.date, last: dt.date) -> None:
    """Raise ConfigurationError if a source ends before the last session of a range that is to be loaded."""
    if ended := beyond_its_end(source, market, last):
        newest = newest_available(source, market, last)
        raise ConfigurationError(f"{ended}, or end at {newest}." if newest and first <= newest else f"{ended}.")


def untrained_month(warehouse: Warehouse, market: Market, session: dt.date) -> bool:
    """Whether the session's month has no models yet."""
    rows = warehouse.read(TRAINED, {"market": market.name, "month": session.replace(day=1)})["rows"][0].as_py()
    return bool(rows == 0)
