"""Plugins: found, refused with a reason, and in the catalogue with their claims."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts.assets import registry_of
from market_pipeline.forecasts.issue import issue
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.garch import GARCH
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.plugin import Plugin
from market_pipeline.models.forecasters.plugins import Plugins, load_plugins
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK
from market_pipeline.models.registry.training import Month, months_between, train
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.mart.small_mart import FORECASTS, LEADERBOARD, PRICES, SIGNALS, report_of
from market_pipeline_tests.panels import history_of, walk_panel
from market_pipeline_tests.pipeline import SMALL, Pipeline

CALM = """
from dataclasses import dataclass

from market_pipeline.models.forecasters.random_walk import RandomWalk
from market_pipeline.models.features.volatility import ewma_volatility


@dataclass(frozen=True)
class Calm(RandomWalk):
    claims = ("range",)


MODEL = Calm("calm", ewma_volatility)
SHOUT = Calm("Calm!", ewma_volatility)
TWICE = Calm("ewma", ewma_volatility)
NUMBER = 7


class Ranges(Calm):
    claims = "range"


RANGES = Ranges("ranges", ewma_volatility)
"""

BROKEN = {
    "syntax": "import os\ndef f(:\n",
    "raising": "import os\n\n1 / 0\n",
    "ending": "import sys\nsys.exit(3)\n",
    "property": "class Model:\n    fit = forecast = None\n    @property\n    def name(self):\n"
    "        raise RuntimeError('no name')\n\n\nMODEL = Model()\n",
}
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calm_model.py"
    path.write_text(CALM)
    return path


def named(*models: str) -> dict[str, str]:
    return {"MARKET_PIPELINE_MODELS": " ".join(models)}


def test_a_model_is_named_by_its_file_or_its_module(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_plugins((), {}) == ((), ())
    [model] = load_plugins((), named(f"{file}:MODEL")).usable
    assert (model.name, model.claims, model.file) == ("calm", ("range",), str(file))
    monkeypatch.setenv("HOME", str(file.parent))
    assert [model.name for model in load_plugins((), named(f"~/{file.name}:MODEL")).usable] == ["calm"]
    monkeypatch.syspath_prepend(file.parent)
    assert [model.name for model in load_plugins((), named("calm_model:MODEL")).usable] == ["calm"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{file}", "has to be my_module:MODEL"),
        ("no_such_module:MODEL", "cannot be loaded: ModuleNotFoundError"),
        ("{file}x.py:MODEL", "cannot be loaded: FileNotFoundError"),
        ("{file}:ABSENT", "has no attribute 'ABSENT'"),
        ("{file}:NUMBER", "has no name, so it is no forecaster"),
        ("{file}:SHOUT", "a name is small letters"),
        ("{file}:TWICE", "another model is already"),
        ("{file}:MODEL", "another model is already"),
        ("{file}:RANGES", "has the claims 'range'"),
        ("{syntax}:MODEL", r"syntax\.py:MODEL of .* SyntaxError: .*syntax\.py, line 2\)"),
        ("{raising}:MODEL", r"ZeroDivisionError: division by zero \(.*raising\.py, line 3\)"),
        ("{ending}:MODEL", r"SystemExit: 3 \(.*ending\.py, line 2\)"),
        ("{property}:MODEL", r"RuntimeError: no name \(.*property\.py, line 5\)"),
    ],
)
def test_a_model_that_cannot_be_used_is_reported_with_its_line_and_harms_no_other(
    file: Path, reference: str, expected: str
) -> None:
    paths = {name: file.with_name(f"{name}.py") for name in BROKEN}
    for name, path in paths.items():
        path.write_text(BROKEN[name], encoding="utf-8")
    found = load_plugins(("ewma",), named(f"{file}:MODEL", reference.format(file=file, **paths)))
    assert [model.name for model in found.usable] == ["calm"]
    [fault] = found.broken
    assert re.search(expected, fault), fault


LOOK = """
import json, sys
from market_pipeline.models.forecasters.catalogue import FORECASTERS
before = [name for name in ("arch", "json") if name not in sys.modules]
import arch, json
from arch import arch_model
print(json.dumps([before, arch.__file__, json.__file__, [one.name for one in FORECASTERS][-2:]]))
"""


def test_a_file_that_is_named_like_a_library_does_not_replace_it(tmp_path: Path) -> None:
    for name in ("arch", "json"):
        (tmp_path / f"{name}.py").write_text(CALM.replace('"calm"', f'"own_{name}"'), encoding="utf-8")
    variables = named(*(f"{tmp_path}/{name}.py:MODEL" for name in ("arch", "json")))
    line = [sys.executable, "-W", "ignore", "-c", LOOK]
    done = subprocess.run(line, env=os.environ | variables, capture_output=True, text=True, check=True, timeout=120)
    not_loaded, *files, names = json.loads(done.stdout)
    assert "arch" in not_loaded
    assert not any(Path(file).is_relative_to(tmp_path) for file in files)
    assert names == ["own_arch", "own_json"]


COMMANDS = """
import sys
from click.testing import CliRunner
from market_pipeline.cli.main import main
for arguments in (["verdicts"], ["forecast"], ["forecast", "AAA"], ["doctor", "--port", "1"]):
    result = CliRunner().invoke(main, arguments)
    print(arguments[0], result.exit_code, result.exception if result.exit_code and arguments != "doctor" else "")
    print(result.output)
"""


def test_a_broken_model_stops_no_command_and_doctor_names_it(tmp_path: Path) -> None:
    report_of(tmp_path, PRICES, FORECASTS, SIGNALS, LEADERBOARD)
    broken = tmp_path / "broken.py"
    broken.write_text(BROKEN["raising"], encoding="utf-8")
    variables = named(f"{broken}:MODEL") | {"MARKET_PIPELINE_HOME": str(tmp_path)}
    variables |= {"MARKET_PIPELINE_SOURCE": "simulated", "MARKET_PIPELINE_CONFIG": ""}
    line = [sys.executable, "-W", "ignore", "-c", COMMANDS]
    done = subprocess.run(line, env=os.environ | variables, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.count("forecast 0") == 2, done.stdout
    assert "verdicts 0" in done.stdout
    assert re.search(r"fix.*own models: .*broken\.py, line 3", done.stdout)
    assert done.stdout.count("broken.py, line 3") >= 2  # and when the models were loaded


class Faulty:
    """A model with one fault."""

    name = "faulty"

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def fit(self, past: Panel) -> object:
        if self.fault == "fit":
            raise KeyError("the past")
        if self.fault == "no parameters":
            return 7
        return EWMA.fit(past) | ({"model": self} if self.fault == "not data" else {})

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> object:
        if self.fault == "forecast":
            sys.exit(1)
        found = EWMA.forecast(parameters, known, origins)
        if self.fault == "horizon":
            return {1: found[1]}
        if self.fault == "kind":
            return dict.fromkeys(found, 0.0)
        return {horizon: replace(one, **self._changed(one)) for horizon, one in found.items()}

    def _changed(self, one: Distribution) -> dict[str, np.ndarray]:
        return {
            "shape": {"mean": one.mean[:1]},
            "chance": {"p_up": one.p_up + 1},
            "median": {"p_up": np.full_like(one.p_up, 0.7)},
            "mean": {"mean": one.mean + 1},
            "order": {"quantiles": one.quantiles[..., ::-1]},
        }[self.fault]


@pytest.mark.parametrize("fault", ["fit", "no parameters", "not data"])
def test_a_model_that_fails_in_training_is_left_out_and_named(tmp_path: Path, fault: str) -> None:
    panel = walk_panel(symbols=4, sessions=300)
    [month] = months_between(panel.history.sessions, dt.date(2021, 1, 1), dt.date(2021, 1, 31))
    faults: list[str] = []
    models = (EWMA, Plugin(Faulty(fault), "a test", __file__, "digest"))
    [rows] = train(panel, [month], FolderStore(tmp_path), "m", dt.datetime.now(dt.UTC), models, report=faults.append)
    assert rows["model"].to_pylist() == ["ewma"]
    assert re.search(r"The own model 'faulty' failed in .*test_plugins\.py", faults[0])
    assert len(faults) == 1


@pytest.mark.parametrize("fault", ["forecast", "horizon", "kind", "shape", "chance", "order", "median", "mean"])
def test_a_model_that_fails_in_forecasting_is_left_out_and_named(fault: str) -> None:
    walk = walk_panel(symbols=4)
    market = Market("stocks", "XNYS", dt.date(2020, 1, 6), walk.history.symbols)
    sessions = market.sessions[: len(walk.history.sessions)]
    panel = Panel(history_of(walk.history.close, sessions), walk.recent, walk.feature_names)
    learned = {one.name: one.fit(panel) for one in (RANDOM_WALK, EWMA, GARCH, HAR)}
    models = (RANDOM_WALK, EWMA, GARCH, HAR, Plugin(Faulty(fault), "a test", __file__, "digest"))
    faults: list[str] = []
    rows = issue(
        panel, market, sessions[-30:-28], {**learned, "faulty": learned["ewma"]}, sessions[-40], NOW, models,
        report=faults.append,
    ).forecasts  # fmt: skip
    assert {*rows["model"].to_pylist()} == {"random_walk", "ewma", "garch", "har", "ensemble"}
    assert re.search(r"The own model 'faulty' failed in forecast, .*test_plugins\.py", faults[0])
    assert len(faults) == 1


def test_a_run_goes_on_without_a_broken_model_and_its_check_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(tmp_path, SMALL)
    pipeline.compute(("prices", "indicators"), dt.date(2023, 1, 3), dt.date(2024, 2, 2))
    plugins = Plugins((Plugin(Faulty("fit"), "a test", __file__, "digest"),), ("broken.py of a test, line 3",))
    models = (RANDOM_WALK, EWMA, GARCH, HAR)
    for module in ("models.assets", "models.checks", "forecasts.assets"):
        monkeypatch.setattr(f"market_pipeline.{module}.PLUGINS", plugins)
    monkeypatch.setattr("market_pipeline.forecasts.assets.BUILT_IN", models)
    monkeypatch.setattr(train, "__defaults__", ((*models, *plugins.usable),))
    monkeypatch.setattr(issue, "__defaults__", ((*models, *plugins.usable),))
    result = pipeline.materialise(("models",), dt.date(2024, 2, 1), dt.date(2024, 2, 1))
    assert result.success
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}["own_models_trained"]
    assert (found.passed, found.severity.value) == (False, "WARN")
    problems = str(found.metadata["problems"].value)
    assert "broken.py of a test, line 3" in problems
    assert "faulty was not trained for 2024-02" in problems
    [event] = result.get_asset_materialization_events()
    left_out = event.materialization.metadata["own models left out"].value
    assert re.search(
        r"(?s)broken\.py.*'faulty' failed in fit.*KeyError: 'the past'.*test_plugins\.py, line \d+", left_out
    )
    pipeline.build(("forecasts",), dt.date(2024, 2, 1), dt.date(2024, 2, 1))
    stored = pipeline.warehouse.read("select distinct model from forecasts")["model"].to_pylist()
    assert {*stored} == {"random_walk", "ewma", "garch", "har", "ensemble"}


def test_a_plugin_is_in_the_catalogue_with_its_claims(file: Path) -> None:
    code = (
        "import json; from market_pipeline.models.forecasters.catalogue import FORECASTERS, claims_of; "
        "print(json.dumps([[f.name for f in FORECASTERS][-1], claims_of('calm')]))"
    )
    line = [sys.executable, "-W", "ignore", "-c", code]
    environment = os.environ | named(f"{file}:MODEL")
    output = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    assert json.loads(output) == ["calm", ["range", "tail"]]


def test_a_model_that_a_month_was_not_trained_for_is_named(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, SMALL)
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute(
            "insert into models "
            "select 'stocks', unnest($names), '2024-02-01', '2024-01-31', 'p', 's', 1, 1, '2024-02-01'",
            {"names": [forecaster.name for forecaster in FORECASTERS if forecaster.name != "har"]},
        )
    month = Month(dt.date(2024, 2, 1), dt.date(2024, 1, 31))
    with pytest.raises(HistoryError, match=r"no har were trained for 2024-02 .*Train them first"):
        registry_of(pipeline.warehouse, pipeline.market, (month,))
