"""Months fitted in parallel: the same models as one after the other, and an error stops the fits that wait."""

import ast
import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.samples import LookAheadError
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.registry.training import LIBRARIES, Month, months_between, train
from market_pipeline.storage.artifacts import Parameters, load
from market_pipeline.storage.store import FolderStore, Store
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline_tests.pages import TOP
from market_pipeline_tests.panels import walk_panel

NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
PANEL = walk_panel(symbols=6, sessions=360)
MONTHS = months_between(PANEL.history.sessions, dt.date(2020, 6, 1), PANEL.history.sessions[-1].item())


class Failing:
    """A model that fails on the second month, takes long for later ones, and has no forecasts."""

    name = "failing"

    def fit(self, past: Panel) -> Parameters:
        if past.history.sessions[-1] == np.datetime64(MONTHS[1].cutoff):
            raise ValueError("no good")
        time.sleep(2.0 * (past.history.sessions[-1] > np.datetime64(MONTHS[1].cutoff)))
        return {"sessions": np.array(len(past.history.sessions))}

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        return {}


def test_models_are_the_same_on_one_core_and_on_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(MONTHS) > 3
    forecasts = []
    for cores in ("1", "4"):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
        tables = list(train(PANEL, MONTHS, FolderStore(tmp_path), cores, NOW))
        for month, rows in zip(MONTHS, tables, strict=True):
            assert set(rows["month"].to_pylist()) == {month.first}
            assert set(rows["trained_through"].to_pylist()) == {month.cutoff}
        forecasts.append([row for rows in tables for row in forecasts_of(rows, FolderStore(tmp_path))])
    assert len(forecasts[0]) == len(MONTHS) * len(FORECASTERS) * len(HORIZONS)
    for alone, beside in zip(*forecasts, strict=True):
        np.testing.assert_array_equal(alone.mean, beside.mean)
        np.testing.assert_array_equal(alone.quantiles, beside.quantiles)


def forecasts_of(rows: pa.Table, store: Store) -> Iterator[Distribution]:
    """The forecasts of a month's models at the panel's last session."""
    sessions = PANEL.history.sessions
    later = {horizon: np.busday_offset(sessions[-1:], horizon) for horizon in HORIZONS}
    for forecaster, row in zip(FORECASTERS, rows.to_pylist(), strict=True):
        learned = load(store, row["path"], row["sha256"])
        yield from forecaster.forecast(learned, PANEL, Origins(np.array([len(sessions) - 1]), later)).values()


def test_fits_before_an_error_are_kept_and_later_ones_do_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    rows = train(PANEL, MONTHS, FolderStore(tmp_path), "m", NOW, [Failing()])
    assert next(rows)["model"].to_pylist() == ["failing"]
    with pytest.raises(ValueError, match="no good"):
        next(rows)
    assert 1 <= len(list(tmp_path.rglob("*.npz"))) <= 2 < len(MONTHS) - 1  # the one that had begun may end


LOADED = """
import sys
from pathlib import Path
from market_pipeline.models.registry import training
from market_pipeline_tests.models.registry.test_training import MONTHS, NOW, PANEL
from market_pipeline.storage.store import FolderStore

class Looking:
    name = "looking"

    def fit(self, past):
        assert {*training.LIBRARIES} <= {*sys.modules}
        return {}

list(training.train(PANEL, MONTHS[:2], FolderStore(Path(sys.argv[1])), "m", NOW, [Looking()]))
"""


def test_libraries_are_loaded_before_threads_can_load_parts_of_them_at_once(tmp_path: Path) -> None:
    line = [sys.executable, "-W", "ignore", "-c", LOADED, str(tmp_path)]
    ended = subprocess.run(line, cwd=TOP, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert imported_by_fits() - {*LIBRARIES} == set()


def imported_by_fits() -> set[str]:
    """The modules of libraries that functions of forecasters import, but those that no other library is a part of."""
    alone = {"joblib", "threadpoolctl", "pandas", "prophet"}
    found = set[str]()
    for folder in ("forecasters", "calibration", "features"):
        for file in (TOP / "market_pipeline" / "models" / folder).glob("*.py"):
            functions = [one for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.FunctionDef)]
            found |= {
                one.module
                for function in functions
                for one in ast.walk(function)
                if isinstance(one, ast.ImportFrom) and one.module and not one.module.startswith("market_pipeline")
            }
    return found - alone


def test_no_month_is_trained_past_its_cutoff(tmp_path: Path) -> None:
    sunday = Month(MONTHS[0].first, dt.date(2021, 1, 3))
    with pytest.raises(LookAheadError, match="must end at 2021-01-03"):
        next(train(PANEL, [sunday], FolderStore(tmp_path), "m", NOW))
