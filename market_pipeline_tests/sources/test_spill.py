import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.sources import spill
from market_pipeline.sources.spill import by_group, gathered

SCHEMA = pa.schema(
    [("symbol", pa.int32()), ("session", pa.date32()), ("close", pa.float64()), ("splits", pa.float64())]
)
GROUPS = [np.array([1, 4]), np.array([3]), np.array([0, 2])]


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "AT_ONCE", 4)


def piece(symbols: Sequence[int], closes: Sequence[float], **more: Sequence[float | None]) -> pa.Table:
    days = [dt.date(2024, 1, 1)] * len(symbols)
    return pa.table({"symbol": symbols, "session": days, "close": closes, **more}).cast(
        pa.schema([SCHEMA.field(name) for name in ("symbol", "session", "close", *more)])
    )


def test_rows_of_a_group_come_together_in_the_order_in_which_those_of_a_symbol_came() -> None:
    pieces = [piece([4, 2, 1, 4, 1], [1, 2, 3, 4, 5]), piece([], []), piece([1, 0, 4], [6, 7, 8])]
    tables = list(by_group(pieces, SCHEMA, GROUPS))
    assert [table["symbol"].to_pylist() for table in tables] == [[4, 1, 4, 1, 1, 4], [], [2, 0]]
    assert [table["close"].to_pylist() for table in tables] == [[1, 3, 4, 5, 6, 8], [], [2, 7]]
    assert all(table.schema == SCHEMA for table in tables)


def test_what_a_piece_lacks_is_null_and_what_is_no_number_is_not() -> None:
    pieces = [piece([0, 2, 0, 3], [1, 3, 5, 4], splits=[2, np.nan, 3, 1]), piece([2], [6])]
    splits = [table["splits"].combine_chunks() for table in by_group(pieces, SCHEMA, GROUPS)]
    assert [column.is_null().to_pylist() for column in splits] == [[], [False], [False, False, False, True]]
    np.testing.assert_array_equal(splits[2].drop_null().to_numpy(), [2, np.nan, 3])


def test_no_rows_are_empty_tables() -> None:
    assert [table.num_rows for table in by_group([SCHEMA.empty_table()], SCHEMA, GROUPS)] == [0, 0, 0]


def test_rows_are_gathered() -> None:
    pieces = (piece([0] * size, [0.0] * size) for size in [1, 2, 2, 0, 9, 3])
    assert [table.num_rows for table in gathered(pieces, SCHEMA)] == [5, 9, 3]


def test_a_full_disk_says_which_folder(tmp_path: Path) -> None:
    (tmp_path / "0.arrow").symlink_to("/dev/full")
    folder = mock.MagicMock()
    folder.return_value.__enter__.return_value = str(tmp_path)
    with (
        mock.patch.object(spill, "TemporaryDirectory", folder),
        pytest.raises(SourceError, match=r"No space left on device\. Make room there, or set TMPDIR"),
    ):
        list(by_group([piece([1], [1.0])], SCHEMA, GROUPS))
