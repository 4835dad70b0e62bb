"""Rows of the mart in the report: a dict by column each, grouped by the values of some columns."""

from collections.abc import Hashable
from operator import itemgetter
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]


def grouped(rows: Rows, *columns: str) -> dict[Any, Rows]:
    """Rows by their value in a column, or by the tuple of their values in several; both in order of appearance.

    >>> grouped([{"model": "har", "horizon": 1}, {"model": "har", "horizon": 5}], "horizon")
    {1: [{'model': 'har', 'horizon': 1}], 5: [{'model': 'har', 'horizon': 5}]}
    """
    groups: dict[Hashable, Rows] = {}
    for row in rows:
        groups.setdefault(itemgetter(*columns)(row), []).append(row)
    return groups
