"""Alerts: each problem is sent once, and once more when it is resolved."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
from pydantic import SecretStr

from market_pipeline.config.settings import Settings
from market_pipeline.definitions import build_definitions, checks_of
from market_pipeline.errors import ConfigurationError, SourceError
from market_pipeline.orchestration.alerts import alerts_sensor, changes, send, stale_markets
from market_pipeline.orchestration.jobs import jobs_of
from market_pipeline_tests.pipeline import Pipeline, clock_at
from market_pipeline_tests.vendor import Vendor

FIRST, LAST = dt.date(2023, 1, 3), dt.date(2023, 2, 28)


class Inbox:
    """A web hook on the loopback that stores messages and answers `status`."""

    def __init__(self) -> None:
        inbox, self.messages, self.status = self, list[str](), 200

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                inbox.messages.append(str(message["message"]))
                self.send_response(inbox.status)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.server.shutdown()
    inbox.server.server_close()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.source = Vendor(pipeline.market, LAST)
    return pipeline


def evaluate(pipeline: Pipeline, inbox: Inbox, cursor: str | None, moment: dt.datetime) -> str | None:
    """Evaluate the sensor once; returns its new cursor."""
    jobs = [job.name for job in jobs_of(pipeline.market)]
    sensor = alerts_sensor([pipeline.market], jobs, checks_of(pipeline.market), [SecretStr(inbox.address)])
    context = dg.build_sensor_context(
        instance=pipeline.instance, cursor=cursor, resources={"warehouse": pipeline.warehouse}
    )  # fmt: skip
    with mock.patch("market_pipeline.orchestration.alerts.dt", clock_at(moment)):
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result.cursor or cursor


def test_a_failing_check_and_a_failed_run_are_sent_once_and_again_when_resolved(
    pipeline: Pipeline, inbox: Inbox
) -> None:
    vendor, day = pipeline.source, dt.date(2023, 2, 28)
    assert isinstance(vendor, Vendor)
    moment = dt.datetime(2023, 3, 1, 12, tzinfo=dt.UTC)
    vendor.missing |= vendor.where("SIM1", "2023-02-27")
    with mock.patch("market_pipeline.prices.checks.dt", clock_at(moment)):
        pipeline.build(("prices",), FIRST, LAST)
        cursor = evaluate(pipeline, inbox, None, moment)
        assert len(inbox.messages) == 1
        assert inbox.messages[0] == "check stocks/prices: no missing bars: failed (WARN, 1 rows)"
        cursor = evaluate(pipeline, inbox, cursor, moment)
        assert len(inbox.messages) == 1
        vendor.down = True
        assert not pipeline.materialise(("prices",), day, day).success
        cursor = evaluate(pipeline, inbox, cursor, moment)
        assert inbox.messages[1].startswith("job __ASSET_JOB: run ")
        vendor.down = False
        vendor.missing[:] = False
        pipeline.build(("prices",), FIRST, LAST)
        cursor = evaluate(pipeline, inbox, cursor, moment)
    assert sorted(inbox.messages[2].split("\n")) == [
        "check stocks/prices: no missing bars: resolved", "job __ASSET_JOB: resolved",
    ]  # fmt: skip
    evaluate(pipeline, inbox, cursor, moment)
    assert len(inbox.messages) == 3


@pytest.mark.parametrize(
    ("moment", "stale"),
    [
        ("2023-03-01T10:59:00", False),  # the daily run of 04:00 in New York may still be running
        ("2023-03-02T10:59:00", False),
        ("2023-03-02T11:01:00", True),  # Wednesday's session is expected
    ],
)
def test_a_market_is_stale_once_its_daily_run_should_have_ended(
    pipeline: Pipeline, moment: str, *, stale: bool
) -> None:
    pipeline.compute(("prices",), FIRST, LAST)
    now = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
    assert bool(list(stale_markets(pipeline.warehouse, [pipeline.market], now))) == stale


def test_old_prices_are_one_message_though_a_check_fails_as_well(pipeline: Pipeline, inbox: Inbox) -> None:
    moment = dt.datetime(2023, 3, 6, 12, tzinfo=dt.UTC)
    with mock.patch("market_pipeline.prices.checks.dt", clock_at(moment)):
        pipeline.build(("prices",), FIRST, LAST)
        evaluate(pipeline, inbox, None, moment)
    assert inbox.messages == ["market stocks: the newest stored session is 2023-02-28, expected 2023-03-03"]


def test_a_long_weekend_is_not_stale(pipeline: Pipeline) -> None:
    pipeline.compute(("prices",), FIRST, dt.date(2023, 2, 17))
    for hour in range(24 * 4):
        now = dt.datetime(2023, 2, 18, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
        assert not list(stale_markets(pipeline.warehouse, [pipeline.market], now))  # Monday was Presidents' Day


def test_changed_details_are_not_sent_again() -> None:
    assert changes({"a": "1 row"}, {"a": "2 rows"}) == []
    assert changes({"a": "1 row"}, {"b": "x"}) == ["b: x", "a: resolved"]


def test_a_refused_message_is_an_error_so_that_the_sensor_tries_again(inbox: Inbox) -> None:
    inbox.status = 500
    with pytest.raises(SourceError, match="could not be delivered"):
        send([inbox.address], ["anything"])


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("pigeon://user:secret@loft", "'pigeon'"),
        ("secret", "no scheme"),
        ("user:secret://loft", "no scheme"),
        ("json://", "'json'"),
        ("mailto://user:secret@", "'mailto'"),
    ],
)
def test_an_unreadable_address_appears_in_no_error_and_no_log(
    address: str, shown: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=shown) as refused:
        send([address], ["anything"])
    assert "secret" not in str(refused.value) + caplog.text + "".join(capfd.readouterr())


def test_a_refused_message_shows_no_address_in_the_log(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    inbox.status = 500
    caplog.set_level("DEBUG")
    with pytest.raises(SourceError) as refused:
        send([f"{inbox.address}hooks/secret?+token=secret"], ["anything"])
    assert "secret" not in str(refused.value) + caplog.text


def test_alerts_are_off_unless_an_address_is_set(tmp_path: Path) -> None:
    for environment, count in (({}, 0), ({"MARKET_PIPELINE_ALERTS": "json://127.0.0.1/"}, 1)):
        settings = Settings.from_environment(
            environment | {"MARKET_PIPELINE_HOME": str(tmp_path), "MARKET_PIPELINE_SOURCE": "simulated"}
        )
        sensors = build_definitions(settings).get_repository_def().sensor_defs
        assert sum(sensor.name == "alerts" for sensor in sensors) == count
