"""Two machines publish to one store at the same moment."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline.mart import assets
from market_pipeline.mart.assets import publish_with_report
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import read_rows
from market_pipeline.mart.report.render import write_report
from market_pipeline.storage.publication import PublishedInStore
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.pipeline import Pipeline

FIRST, LAST, NEXT = dt.date(2023, 1, 3), dt.date(2023, 2, 14), dt.date(2023, 2, 15)
HOUR = dt.timedelta(hours=1)


def test_no_publication_hides_what_another_machine_published_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one reads the warehouse later, has newer bars, and a clock that is an hour behind."""
    pipeline, store = Pipeline(tmp_path), FolderStore(tmp_path / "shared")
    one, two = (PublishedInStore(tmp_path / name, store) for name in ("one", "two"))
    warehouse, markets = pipeline.warehouse, [pipeline.market]
    pipeline.compute(("prices",), FIRST, LAST)

    def while_another_publishes(mart: Path, report: Path) -> None:
        monkeypatch.setattr(assets, "write_report", write_report)
        pipeline.compute(("prices",), NEXT, NEXT)
        with two.turn() as earlier:
            moment = dt.datetime.now(dt.UTC) - HOUR
            publish(warehouse, markets, two.file, moment)
            write_report(two.file, two.report_file)
            assert two.put(moment, earlier)
        write_report(mart, report)

    monkeypatch.setattr(assets, "write_report", while_another_publishes)
    publish_with_report(warehouse, markets, one)
    [meta] = read_rows(one.newest(), "meta").to_pylist()
    assert meta["newest_session"] == NEXT
    assert store.get("report.html") == one.report_file.read_bytes()
    assert str(NEXT) in store.get("report.html").decode()
