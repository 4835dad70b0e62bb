"""The catalogue of forecasters: their settings as they are stored, what they claim, which are refitted."""

import dataclasses

import pytest

from market_pipeline.models.forecasters.catalogue import BUILT_IN, ENSEMBLE, JOINT, REFITTED, claims_of
from market_pipeline.models.forecasters.protocol import Forecaster

SETTINGS = {
    "random_walk": "RandomWalk(name='random_walk')",
    "drift": "Drift(name='drift')",
    "ewma": "RandomWalk(name='ewma')",
    "garch": "Garch(name='garch', window=1000, least=250, own=0.5)",
    "har": "Har(name='har', window=1000, at_most=500000)",
    "logistic": "Logistic(name='logistic', window=1000, at_most=50000, strength=0.001)",
    "linear": "Linear(name='linear', window=1000, at_most=200000, shrinkage=0.1)",
    "boosting": "Boosting(name='boosting', window=750, at_most=40000, months=3)",
    "ets": "Classical(name='ets', window=250, least=120, trials=25, tried=12)",
    "theta": "Classical(name='theta', window=250, least=120, trials=25, tried=12)",
    "prophet": "Prophet(name='prophet', window=750, least=120, engine='exact', options={}, draws=400, trials=25, "
    "tried=60)",
}
"""Stored in the table `tried`: a new spelling would count as a new setting when p-values are adjusted."""


def test_settings_are_written_as_they_are_stored() -> None:
    assert {forecaster.name: repr(forecaster) for forecaster in BUILT_IN} == SETTINGS
    assert [forecaster.name for forecaster in BUILT_IN] == list(SETTINGS)


@pytest.mark.parametrize("forecaster", BUILT_IN, ids=lambda forecaster: forecaster.name)
def test_settings_cannot_be_changed(forecaster: Forecaster) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        forecaster.name = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("claims", "models"),
    [
        (("range", "tail"), ("ewma", "garch", "har", ENSEMBLE)),
        (("direction",), ("logistic",)),
        (("rank",), (JOINT,)),
        (("return", "direction"), ("drift", "linear", "boosting", "ets", "theta", "prophet", "a plugin of the past")),
    ],
)
def test_models_claim_what_they_have_a_view_of(claims: tuple[str, ...], models: tuple[str, ...]) -> None:
    assert {model: claims_of(model) for model in models} == dict.fromkeys(models, claims)


def test_the_slow_models_are_refitted_at_each_origin() -> None:
    assert REFITTED == ("ets", "theta", "prophet")
