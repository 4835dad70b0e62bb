"""A stored forecast is issued again bit by bit, or what has changed since is named."""

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner

from market_pipeline.cli.main import main
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts.ledger import bars_digests
from market_pipeline.forecasts.replay import Replay, replay
from market_pipeline.prices.history import read_history
from market_pipeline_tests.pipeline import Pipeline

START, MONTH, FIRST, DAY = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 2, 5), dt.date(2024, 2, 7)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.compute(("prices", "indicators"), START, DAY)
    pipeline.compute(("models",), MONTH, MONTH)
    pipeline.compute(("forecasts",), FIRST, DAY)
    return pipeline


def replayed(pipeline: Pipeline, origin: dt.date = FIRST) -> Replay:
    return replay(pipeline.warehouse, pipeline.market, origin, pipeline.settings.models)


def test_a_forecast_is_issued_again_the_same_in_every_bit(pipeline: Pipeline) -> None:
    again = replayed(pipeline)
    assert (again.differing, again.changed) == (0, ())
    assert again.rows >= 40


def test_a_changed_forecast_is_seen(pipeline: Pipeline) -> None:
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update forecasts set mean = mean + 1e-17 + 1e-9 where symbol = 'SIM1'")
    assert replayed(pipeline).differing > 0


def test_bars_that_were_restated_are_read_as_they_were_known(pipeline: Pipeline) -> None:
    session = FIRST - dt.timedelta(days=4)
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute(
            """
            insert into restatements
            select market, symbol, session, 'close', close, close * 0.999, 'vendor fix',
                known_at, now()::timestamp, true
            from prices where symbol = 'SIM1' and session = $session
            """,
            {"session": session},
        )
        transaction.connection.execute(
            "update prices set close = close * 0.999 where symbol = 'SIM1' and session = $session", {"session": session}
        )
    again = replayed(pipeline)
    assert (again.differing, again.changed) == (0, ())


def test_everything_that_changed_is_named(pipeline: Pipeline) -> None:
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update ledger set code = '0.0.1+old', models = 'other', bars = 'gone'")
    changed = " ".join(replayed(pipeline).changed)
    for words in ("the code: it was 0.0.1+old", "the models", "the bars"):
        assert words in changed


def test_what_was_never_forecast_cannot_be_replayed(pipeline: Pipeline) -> None:
    with pytest.raises(HistoryError, match="no forecast of 2024-01-05 is in the ledger"):
        replayed(pipeline, dt.date(2024, 1, 5))


def test_a_lost_model_file_is_named(pipeline: Pipeline) -> None:
    for path in (pipeline.settings.models / "stocks" / "linear").glob("*.skops"):
        path.unlink()
    with pytest.raises(HistoryError, match="is missing"):
        replayed(pipeline)


def test_the_command_prints_identical(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("MARKET_PIPELINE_SOURCE", "simulated")
    monkeypatch.setenv("MARKET_PIPELINE_CONFIG", str(pipeline.settings.config))
    result = CliRunner().invoke(main, ["replay", "--market", "stocks", "--origin", FIRST.isoformat()])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("identical")


def test_the_digest_of_a_session_does_not_depend_on_later_bars(pipeline: Pipeline) -> None:
    whole = read_history(pipeline.warehouse, pipeline.market, DAY)
    cut = read_history(pipeline.warehouse, pipeline.market, FIRST)
    assert bars_digests(whole)[: len(cut.sessions)].tolist() == bars_digests(cut).tolist()
    assert len(set(bars_digests(whole).tolist())) == len(whole.sessions)
