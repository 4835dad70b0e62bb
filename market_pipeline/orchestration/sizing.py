"""What a backfill takes: time, memory and disk, from unit costs that were measured on two cores without other load.

docs/scale.md has the runs behind each cost. Knows plans, and starts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.backfill import PlannedRun

PER_BAR = 11e-6
"""Seconds to load a bar and compute its indicators."""

TRAINING, FORECASTING = (0.85, 0.0158), (1.45, 0.0189)
"""Seconds per month, and per month and symbol: of its models, and of all that follows them."""

MEMORY, MEMORY_PER_BAR = 1.5e9, 240
"""Bytes of the largest process: of an empty one, and per bar from the market's start on."""

DISK_PER_MONTH = 254_000
"""Bytes per symbol and month of forecasts: warehouse, mart, models and event log."""


@dataclass(frozen=True)
class Size:
    """Seconds, bytes of memory of the largest process, and bytes of disk; each right within a factor of two."""

    seconds: float
    memory: float
    disk: float

    def __str__(self) -> str:
        """The size in words.

        >>> str(Size(970.0, 1.66e9, 4.7e9))
        '16 min on two cores, 1.7 GB of memory, 4.7 GB of disk'
        """
        minutes = max(1, round(self.seconds / 60))
        time = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
        return f"{time} on two cores, {self.memory / 1e9:.1f} GB of memory, {self.disk / 1e9:.1f} GB of disk"


def size(symbols: int, loaded: int, known: int, trained: int, forecast: int) -> Size:
    """The size of a backfill of `symbols`.

    `loaded` and `known` are bars: those that it loads, and all from the market's start to its end. `trained` and
    `forecast` are months: those of the models, and those of the forecasts.

    >>> round(size(402, 1_700_000, 1_700_000, 61, 61).seconds / 60, 1)  # measured: 16.8
    16.8
    """
    each = [months * (fixed + symbols * per) for months, (fixed, per) in ((trained, TRAINING), (forecast, FORECASTING))]
    return Size(
        seconds=PER_BAR * loaded + sum(each),
        memory=MEMORY + MEMORY_PER_BAR * known,
        disk=DISK_PER_MONTH * symbols * forecast,
    )


def size_of(market: Market, planned: Sequence[PlannedRun]) -> Size:
    """The size of planned runs of one market, as if every symbol had a bar at every session.

    The prices of a source that answers slowly, such as one that limits requests, take longer.
    """
    symbols, months = len(market.symbols), {"models": 0, "forecasts": 0}
    loaded = 0
    for run in planned:
        if "prices" in run.assets:
            loaded += symbols * market.sessions_between(run.first, run.last).size
        for asset in {*months} & {*run.assets}:
            months[asset] += run.parts_of[asset]
    last = max(run.last for run in planned)
    known = symbols * market.sessions_between(market.start, last).size
    return size(symbols, loaded, known, months["models"], months["forecasts"])
