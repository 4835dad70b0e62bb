"""The row groups of files in the order of their days, cut into stretches of days that memory holds.

Knows what the heads of files tell; reads no row.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from market_pipeline.config.markets import Sessions
from market_pipeline.sources.file_heads import Head, Stamp

WAITING = 4
"""How many times as many rows as are taken at once may be in memory, among them those of later stretches."""

DAY = dt.timedelta(days=1)


class Unit(NamedTuple):
    """What is read at once: a row group that tells its days, or all of a file that tells none."""

    since: dt.date
    until: dt.date
    rows: int
    stamp: Stamp
    spans: tuple[int, ...]

    def rows_from(self, day: dt.date) -> float:
        """About how many rows are of that day or later ones."""
        first, last = self.since.toordinal(), self.until.toordinal() + 1
        return self.rows * (last - min(max(first, day.toordinal()), last)) / (last - first)


class Stretch(NamedTuple):
    """The days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date
    units: tuple[Unit, ...]
    """Those to read for it that were not read for an earlier one."""


def units_of(stamp: Stamp, head: Head, spans: Sequence[int]) -> list[Unit]:
    """Some of a file's spans, to be read one by one if it tells their days."""
    counts = [head.spans[span].rows for span in spans]
    if not head.tells_days:
        return [Unit(dt.date.min, dt.date.max, sum(counts), stamp, tuple(spans))]
    days = [(head.spans[span].since, head.spans[span].until) for span in spans]
    return [Unit(*on, rows, stamp, (span,)) for span, rows, on in zip(spans, counts, days, strict=True)]


def stretches_of(
    units: Iterable[Unit], sessions: Sessions, first: dt.date, last: dt.date, at_once: int
) -> list[Stretch] | None:
    """The days from `first` to `last` in stretches of about `at_once` rows, such that every unit is read once.

    Each stretch has one of `sessions`, those from `first` to `last`. A unit whose days reach into later stretches
    waits in memory for them; None where too much would wait.
    """
    order = sorted(units)
    made, taken, done = list[Stretch](), list[Unit](), 0
    for unit, following in zip_longest(order, order[1:]):
        taken.append(unit)
        end = last if following is None else max(following.since, first) - DAY
        passed = int(np.searchsorted(sessions, np.datetime64(end), side="right"))
        if following is None or (sum(unit.rows for unit in taken) >= at_once and done < passed < len(sessions)):
            made.append(Stretch(first, end, tuple(taken)))
            first, taken, done = end + DAY, [], passed
    read = 0
    for stretch in made:
        waiting = sum(unit.rows_from(stretch.first) for unit in order[:read])
        if waiting + sum(unit.rows for unit in stretch.units) > WAITING * at_once:
            return None
        read += len(stretch.units)
    return made
