"""Plugins: found, refused with a reason, and in the catalogue with their claims."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from market_pipeline.errors import ConfigurationError, HistoryError
from market_pipeline.forecasts.assets import registry_of
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.plugins import load_plugins
from market_pipeline.models.registry.training import Month
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
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calm_model.py"
    path.write_text(CALM)
    return path


def named(*models: str) -> dict[str, str]:
    return {"MARKET_PIPELINE_MODELS": " ".join(models)}


def test_a_model_is_named_by_its_file_or_its_module(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_plugins((), {}) == ()
    [model] = load_plugins((), named(f"{file}:MODEL"))
    assert model.name == "calm"
    monkeypatch.setenv("HOME", str(file.parent))
    assert [model.name for model in load_plugins((), named(f"~/{file.name}:MODEL"))] == ["calm"]
    monkeypatch.syspath_prepend(file.parent)
    assert [model.name for model in load_plugins((), named("calm_model:MODEL"))] == ["calm"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{file}", "names a model as my_module:MODEL"),
        ("no_such_module:MODEL", "cannot be loaded: ModuleNotFoundError"),
        ("{file}x.py:MODEL", "cannot be loaded: FileNotFoundError"),
        ("{file}:ABSENT", "has no ABSENT"),
        ("{file}:NUMBER", "has no name, so it is no forecaster"),
        ("{file}:SHOUT", "a name is small letters"),
        ("{file}:TWICE", "another model is already"),
        ("{file}:MODEL {file}:MODEL", "another model is already"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_with_a_reason(file: Path, reference: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        load_plugins(("ewma",), named(reference.format(file=file)))


def test_a_plugin_is_in_the_catalogue_with_its_claims(file: Path) -> None:
    code = (
        "import json; from market_pipeline.models.forecasters.catalogue import FORECASTERS, claims_of; "
        "print(json.dumps([[f.name for f in FORECASTERS][-1], claims_of('calm')]))"
    )
    line = [sys.executable, "-W", "ignore", "-c", code]
    environment = os.environ | named(f"{file}:MODEL")
    output = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    assert json.loads(output) == ["calm", ["range"]]


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
