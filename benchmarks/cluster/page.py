"""The figures on docs/runs/cluster.md; what is written below them stays."""

import datetime as dt
from collections.abc import Sequence

from market_pipeline import __version__

COLUMNS = "| | fault | figures |\n|---|---|---|\n"
HEAD = """# Faults of several hosts

For those who run several hosts, and ask what happens when one of them fails.

`make faults-cluster` gave these rows on {day}, version {version}. Network namespaces of one machine are the hosts.
After each fault the tables are compared with those of one host, to the bit.

"""


def with_rows(page: str, rows: Sequence[str], day: dt.date) -> str:
    """The page with `rows` of a day in place of those of its table."""
    _, _, below = page.partition(COLUMNS)[2].partition("\n\n")
    figures = HEAD.format(day=day, version=__version__) + COLUMNS + "\n".join(rows) + "\n"
    return f"{figures}\n{below}" if below else figures
