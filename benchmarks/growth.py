"""B10: how time and memory grow with the number of symbols, from stored prices to the forecasts of a month's origins.

The pipeline's own functions on a warehouse, as the assets call them: indicators of ten years, one month's models,
every model's forecasts and ranks at each of that month's sessions.
"""

import datetime as dt
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from generated import TEN_YEARS, as_stored, bars_table, grids, market_of, warehouse_of
from stopwatch import Stopwatch

from market_pipeline.config.markets import Market

if TYPE_CHECKING:
    from market_pipeline.storage.store import Store
    from market_pipeline.storage.warehouse import Warehouse

COUNTS = (100, 1000, 5000)


def counts(size: float) -> list[int]:
    return [max(10, round(count * size)) for count in COUNTS]


def data_directories(folder: Path, size: float) -> None:
    """A warehouse with ten years of bars for each number of symbols."""
    for count in counts(size):
        with warehouse_of(_home(folder, count)).transaction("bench") as transaction:
            transaction.append("prices", as_stored(bars_table(market_of(count), grids(count, TEN_YEARS))))


def ours(folder: Path, count: float) -> dict[str, float]:
    """Seconds and the most memory (GB) of this process and those that it started."""
    from market_pipeline.storage.store import FolderStore
    from market_pipeline.storage.warehouse import MEMORY_LIMIT

    home = _home(folder, round(count))
    warehouse = warehouse_of(home, memory_limit=MEMORY_LIMIT, temp_directory=str(home / "spill"))
    return a_month(warehouse, FolderStore(home), market_of(round(count)))


def a_month(warehouse: "Warehouse", store: "Store", market: Market) -> dict[str, float]:
    """The same for the last whole month of ten years, in any warehouse and store."""
    from market_pipeline.forecasts.issue import issue
    from market_pipeline.forecasts.ranks import rank_rows
    from market_pipeline.indicators.writing import write_indicators
    from market_pipeline.models.features.reading import read_panel, training_start
    from market_pipeline.models.registry.training import Month, train
    from market_pipeline.storage.artifacts import load

    now = dt.datetime.now(dt.UTC)
    sessions = market.sessions[:TEN_YEARS]
    months = sessions.astype("datetime64[M]")
    sessions = sessions[months < months[-1]]  # to the end of the last whole month
    last = sessions[-1].item()
    origins = sessions[sessions.astype("datetime64[M]") == np.datetime64(last, "M")]
    month = Month(last.replace(day=1), sessions[len(sessions) - len(origins) - 1].item())
    with Peak() as peak, Stopwatch() as watch:
        write_indicators(warehouse, market, market.start, last)
        past = read_panel(warehouse, market, month.cutoff, since=training_start(market, month.cutoff))
        [trained] = train(past, [month], store, market.name, now)
        registry = trained.to_pylist()
        del past
        parameters = {row["model"]: load(store, row["path"], row["sha256"]) for row in registry}
        known = read_panel(warehouse, market, last, since=origins[0].item())
        rank_rows(known.history, market, origins)
        rows = issue(known, market, origins, parameters, np.datetime64(month.cutoff), now).forecasts
    if rows.num_rows < len(market.symbols) * len(origins) * len(registry):
        raise AssertionError(f"only {rows.num_rows} forecasts were made")
    return {"seconds": watch.seconds, "peak": peak.gigabytes}


class Peak:
    """The most memory of this process and its descendants, looked at five times a second."""

    def __init__(self) -> None:
        self.gigabytes = 0.0
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        while True:
            self.gigabytes = max(self.gigabytes, sum(map(_resident, _family(os.getpid()))) / 1e6)
            if self._over.wait(0.2):
                return


def _family(process: int) -> list[int]:
    """The process and all that descend from it."""
    found = [process]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found.extend(map(int, children.read_text(encoding="ascii").split()))
            except OSError:  # it has ended since
                continue
    return found


def _resident(process: int) -> int:
    """Its proportional share of memory, kB; 0 when it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def _home(folder: Path, count: int) -> Path:
    return folder / f"growth-{count}"
