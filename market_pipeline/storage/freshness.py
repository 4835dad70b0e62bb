"""How old the stored bars of a market are: by its calendar, never by the time of a run.

A rule on the last run's time would call a backfill of old sessions fresh, and a closed day stale.
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from market_pipeline.config.markets import Market
    from market_pipeline.storage.warehouse import Warehouse

NEWEST = "select max(session) as newest from prices where market = $market and final"


@dataclass(frozen=True)
class Freshness:
    """The newest session of a market that has prices, and how many are due after it."""

    market: str
    newest: dt.date | None
    behind: int | None
    """None where no calendar is known: the market left the configuration, or an earlier version published it."""

    def __str__(self) -> str:
        if self.behind is None:
            return f"{self.market}: newest {self.newest}, and no calendar to compare it with"
        sessions = f"{self.behind:,} session{'' if self.behind == 1 else 's'}"
        return f"{self.market}: {sessions} behind; newest {self.newest or 'none'}"


def freshness_of(market: "Market", newest: dt.date | None, now: dt.datetime) -> Freshness:
    """How many sessions after `newest` are due by `now`, which has a time zone; all of them if there is none."""
    due = market.newest_due(now)
    since = market.start if newest is None else newest + dt.timedelta(days=1)
    return Freshness(market.name, newest, 0 if due is None else len(market.sessions_between(since, due)))


def stored_freshness(warehouse: "Warehouse", market: "Market", now: dt.datetime) -> Freshness:
    """The same of what a warehouse holds."""
    newest = warehouse.read(NEWEST, {"market": market.name})["newest"][0].as_py()
    return freshness_of(market, newest, now)
