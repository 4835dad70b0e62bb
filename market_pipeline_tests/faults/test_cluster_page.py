"""The page of the faults of several hosts: new figures replace those of before, and nothing else."""

import datetime as dt

from benchmarks.cluster.page import COLUMNS, with_rows
from market_pipeline_tests.pages import TOP

PAGE = (TOP / "docs" / "runs" / "cluster.md").read_text(encoding="utf-8")
ROWS = ["| C1 | two writers | lost rows 0 |", "| C4 | kills | kills 12 |"]


def test_new_figures_leave_what_is_written_below_them() -> None:
    page = with_rows(PAGE, ROWS, dt.date(2030, 1, 2))
    head, _, rest = page.partition(COLUMNS)
    assert "on 2030-01-02, version" in head
    assert rest.startswith("\n".join(ROWS) + "\n\nRun on")
    assert rest.partition("\n\n")[2] == PAGE.partition(COLUMNS)[2].partition("\n\n")[2]
    assert with_rows(page, ROWS, dt.date(2030, 1, 2)) == page


def test_the_first_figures_make_the_page() -> None:
    assert with_rows("", ROWS, dt.date(2030, 1, 2)).endswith(COLUMNS + "\n".join(ROWS) + "\n")
