"""A stored forecast comes out again bit by bit, or the missing pin is named."""

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner

from market_pipeline.cli.main import main
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts.ledger import data_digests
from market_pipeline.forecasts.replay import Replayed, replay
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


def replayed(pipeline: Pipeline, origin: dt.date = FIRST) -> Replayed:
    return replay(pipeline.warehouse, pipeline.market, origin, pipeline.settings.models)


def test_a_forecast_comes_out_the_same_in_every_bit(pipeline: Pipeline) -> None:
    again = replayed(pipeline)
    assert (again.differing, again.missing) == (0, ())
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
    assert (again.differing, again.missing) == (0, ())


def test_each_missing_pin_is_named(pipeline: Pipeline) -> None:
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update ledger set code = '0.0.1+old', models = 'other', bars = 'gone'")
    missing = " ".join(replayed(pipeline).missing)
    for words in ("the code: it was 0.0.1+old", "the models", "the bars"):
        assert words in missing


def test_what_was_never_forecast_cannot_be_replayed(pipeline: Pipeline) -> None:
    with pytest.raises(HistoryError, match="no forecast of 2024-01-05 is in the ledger"):
        replayed(pipeline, dt.date(2024, 1, 5))


def test_a_lost_model_file_is_named(pipeline: Pipeline) -> None:
    for path in (pipeline.settings.models / "stocks" / "linear").glob("*.skops"):
        path.unlink()
    with pytest.raises(HistoryError, match="is missing"):
        replayed(pipeline)


def test_the_command_says_identical(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("MARKET_PIPELINE_SOURCE", "simulated")
    monkeypatch.setenv("MARKET_PIPELINE_CONFIG", str(pipeline.settings.config))
    said = CliRunner().invoke(main, ["replay", "--market", "stocks", "--origin", FIRST.isoformat()])
    assert said.exit_code == 0, said.output
    assert said.output.startswith("identical")


def test_the_digest_of_a_session_does_not_know_what_follows(pipeline: Pipeline) -> None:
    whole = read_history(pipeline.warehouse, pipeline.market, DAY)
    cut = read_history(pipeline.warehouse, pipeline.market, FIRST)
    assert data_digests(whole)[: len(cut.sessions)].tolist() == data_digests(cut).tolist()
    assert len(set(data_digests(whole).tolist())) == len(whole.sessions)
