"""A stored forecast is issued again bit by bit, or what has changed since is named."""

import ast
import datetime as dt
import shutil
from importlib.metadata import packages_distributions
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner, Result

from market_pipeline.cli.main import main
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts import ledger
from market_pipeline.forecasts.ledger import LIBRARIES, PACKAGE, bars_digests, code_version
from market_pipeline.forecasts.replay import Replay, past_of, replay
from market_pipeline.models.forecasters.plugins import load_plugins
from market_pipeline.prices.history import read_history
from market_pipeline.storage.store import open_store
from market_pipeline_tests.pipeline import SMALL, Pipeline, clock_at

START, MONTH, FIRST, DAY = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 2, 5), dt.date(2024, 2, 7)
EVENING = dt.datetime(2024, 2, 8, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with forecasts of three origins, whose symbols are not in the order of their names."""
    pipeline = Pipeline(tmp_path_factory.mktemp("built"), toml("SIM2", "AUTOREG", "SIM1"))
    pipeline.compute(("prices", "indicators"), START, DAY)
    pipeline.compute(("models",), MONTH, MONTH)
    pipeline.compute(("forecasts",), FIRST, DAY)
    return pipeline.folder


@pytest.fixture
def pipeline(tmp_path: Path, built: Path) -> Pipeline:
    """A copy of it."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return Pipeline(tmp_path, toml("SIM2", "AUTOREG", "SIM1"))


def toml(*symbols: str) -> str:
    return SMALL.replace('["AUTOREG", "SIM1", "SIM2"]', str(list(symbols)))


def replayed(pipeline: Pipeline, origin: dt.date = FIRST) -> Replay:
    [again] = replay(pipeline.warehouse, pipeline.market, origin, open_store(pipeline.settings))
    return again


def configured(pipeline: Pipeline, *symbols: str) -> Pipeline:
    """The same data directory, whose market has these symbols from now on; their bars are loaded."""
    changed = Pipeline(pipeline.folder, toml(*symbols))
    changed.compute(("prices", "indicators"), START, DAY)
    return changed


def test_a_forecast_is_issued_again_the_same_in_every_bit(pipeline: Pipeline) -> None:
    again = replayed(pipeline)
    assert (again.differing, again.changed) == (0, ())
    assert again.rows >= 40


def test_a_changed_forecast_is_seen(pipeline: Pipeline) -> None:
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update forecasts set mean = mean + 1e-17 + 1e-9 where symbol = 'SIM1'")
    assert replayed(pipeline).differing > 0


def test_a_changed_tail_is_seen(pipeline: Pipeline) -> None:
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update tails set es_05 = es_05 - 1e-9 where symbol = 'SIM1'")
    changed = pipeline.warehouse.read("from tails where symbol = 'SIM1' and origin = $origin", {"origin": FIRST})
    assert replayed(pipeline).differing == 2 * changed.num_rows > 0


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
        transaction.connection.execute(
            "update ledger set code = '0.0.1+old', models = 'other', bars = 'gone', plugins = 'reversal 0123', "
            "libraries = regexp_replace(libraries, 'numpy [^,]+', 'numpy 0.0.1')"
        )
    changed = " ".join(replayed(pipeline).changed)
    for words in (
        "the code: it was 0.0.1+old", "the models", "the bars", f"numpy: it was 0.0.1, now it is {np.__version__}",
        "own model reversal: it was 0123, now it is not there",
    ):  # fmt: skip
        assert words in changed
    assert changed.count("it was") == 3  # of the libraries, only the one that differs


def test_an_added_symbol_and_another_order_change_nothing_of_older_origins(pipeline: Pipeline) -> None:
    wider = configured(pipeline, "WALK1", "SIM2", "AUTOREG", "SIM1")
    again = replayed(wider)
    assert (again.differing, again.changed) == (0, ())
    [provenance] = wider.warehouse.read("from ledger where origin = $day", {"day": FIRST}).to_pylist()
    past = past_of(wider.warehouse, wider.market, provenance)
    assert past is not None
    assert not past.restated  # else its look-ahead check would have nothing to compare with


def test_a_symbol_that_left_the_configuration_is_replayed_as_well(pipeline: Pipeline) -> None:
    rows = replayed(pipeline).rows
    again = replayed(configured(pipeline, "SIM2", "AUTOREG"))
    assert (again.rows, again.differing, again.changed) == (rows, 0, ())


def test_forecasts_of_a_symbol_that_is_added_to_a_live_origin_have_a_provenance_of_their_own(
    pipeline: Pipeline,
) -> None:
    with mock.patch("market_pipeline.forecasts.months.dt", clock_at(EVENING)):
        pipeline.compute(("forecasts",), DAY, DAY)
        pipeline.compute(("forecasts",), DAY, DAY)  # stores nothing, so the ledger has no row of it
    pipeline = configured(pipeline, "WALK1", "SIM2", "AUTOREG", "SIM1")
    result = pipeline.materialise(("forecasts",), DAY, DAY)
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert result.success
    assert "forecasts at" in str(found["forecasts_see_no_future"].metadata["compared"].value)
    live, later = replay(pipeline.warehouse, pipeline.market, DAY, open_store(pipeline.settings))
    assert (live.mode, live.differing, live.changed) == ("live", 0, ())
    assert (later.mode, later.differing, later.changed) == ("replayed", 0, ())
    assert 0 < later.rows < live.rows
    symbols = pipeline.warehouse.read(
        "select mode, symbols from ledger where origin = $day order by made_at", {"day": DAY}
    ).to_pylist()
    assert [row["symbols"] for row in symbols] == [["SIM2", "AUTOREG", "SIM1"], ["WALK1", "SIM2", "AUTOREG", "SIM1"]]


def made_by_an_earlier_version(pipeline: Pipeline) -> Pipeline:
    """The same ledger without what schema version 2 did not record, and with its digest of the bars."""
    digests = bars_digests(read_history(pipeline.warehouse, pipeline.market, DAY), by_name=False)
    sessions = pipeline.market.sessions_between(pipeline.market.start, DAY)
    digest = dict(zip(sessions.tolist(), digests.tolist(), strict=True))
    with pipeline.warehouse.transaction("stocks") as transaction:
        for origin in (FIRST, DAY):
            transaction.connection.execute(
                "update ledger set symbols = null, libraries = null, plugins = null, bars = $bars where origin = $day",
                {"bars": digest[origin], "day": origin},
            )
    return pipeline


def test_a_ledger_of_an_earlier_version_is_understood(pipeline: Pipeline) -> None:
    pipeline = made_by_an_earlier_version(pipeline)
    pipeline = configured(pipeline, "SIM2", "WALK1", "AUTOREG", "SIM1")
    again = replayed(pipeline)
    assert again.differing == 0
    assert [change.partition(":")[0] for change in again.changed] == ["the ledger"]


def test_a_ledger_of_an_earlier_version_that_is_not_understood_raises_no_alarm(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by_an_earlier_version(pipeline)
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("update ledger set bars = 'of other symbols'")
    assert replayed(pipeline).differing is None
    result = command(pipeline, monkeypatch)
    assert result.exit_code == 0
    assert result.output.startswith("unknown")
    assert "an earlier version made them" in result.output


def test_what_was_never_forecast_cannot_be_replayed(pipeline: Pipeline) -> None:
    with pytest.raises(HistoryError, match="no forecast of 2024-01-05 is in the ledger"):
        replayed(pipeline, dt.date(2024, 1, 5))


def test_a_lost_model_file_is_named(pipeline: Pipeline) -> None:
    for path in (pipeline.settings.home / "models" / "stocks" / "linear").glob("*.npz"):
        path.unlink()
    with pytest.raises(HistoryError, match="is missing"):
        replayed(pipeline)


def command(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("MARKET_PIPELINE_SOURCE", "simulated")
    monkeypatch.setenv("MARKET_PIPELINE_CONFIG", str(pipeline.settings.config))
    return CliRunner().invoke(main, ["replay", "--market", "stocks", "--origin", FIRST.isoformat()])


def test_the_command_prints_identical(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command(pipeline, monkeypatch)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("identical")


def test_the_digest_of_a_session_does_not_depend_on_later_bars(pipeline: Pipeline) -> None:
    whole = read_history(pipeline.warehouse, pipeline.market, DAY)
    cut = read_history(pipeline.warehouse, pipeline.market, FIRST)
    assert bars_digests(whole)[: len(cut.sessions)].tolist() == bars_digests(cut).tolist()
    assert len(set(bars_digests(whole).tolist())) == len(whole.sessions)


def test_the_digest_of_a_session_does_not_depend_on_the_order_of_symbols(pipeline: Pipeline) -> None:
    history = read_history(pipeline.warehouse, pipeline.market, DAY)
    moved = history.some(np.array([2, 0, 1]))
    assert bars_digests(moved).tolist() == bars_digests(history).tolist()
    assert bars_digests(history.some(np.array([0, 1]))).tolist() != bars_digests(history).tolist()


def test_a_changed_query_is_another_version_of_the_code(tmp_path: Path) -> None:
    versions = []
    for query in ("select 1", "select 2"):
        (tmp_path / "rows.sql").write_text(query, encoding="utf-8")
        code_version.cache_clear()
        versions.append(code_version(tmp_path))
    assert versions[0] != versions[1]


def test_a_changed_own_model_is_another_provenance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, found = tmp_path / "calm.py", []
    for setting in (1, 2):
        file.write_text(
            "from market_pipeline.models.forecasters.random_walk import RandomWalk\n"
            f"MODEL = RandomWalk('calm', None)  # {setting}\n", encoding="utf-8"
        )  # fmt: skip
        monkeypatch.setattr(ledger, "PLUGINS", load_plugins((), {"MARKET_PIPELINE_MODELS": f"{file}:MODEL"}))
        found.append(ledger.plugin_digests(["calm", "ewma"]))
    assert found[0] != found[1]
    [change] = ledger.differences(*found)
    assert change.startswith("calm: it was ")
    assert ledger.plugin_digests(["ewma"]) == ""


BESIDE = {"dagster", "filelock", "joblib", "obstore", "platformdirs", "psycopg2-binary", "pydantic", "skops",
          "tenacity", "threadpoolctl"}  # fmt: skip
"""Packages that those of COMPUTING import and that give no number: files, locks, runs."""

COMPUTING = ("forecasts", "indicators", "models", "prices", "storage")


def test_every_package_that_computes_is_pinned() -> None:
    files = [file for name in COMPUTING for file in (PACKAGE / name).rglob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module).partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    known = packages_distributions()
    found = {known[module][0].lower() for module in modules & known.keys()} - {"market-pipeline"}
    assert {"numpy", "scikit-learn"} < found
    assert found - BESIDE <= {*LIBRARIES}
