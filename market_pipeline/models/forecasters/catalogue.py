"""Which forecasters there are, what they claim, and which are refitted at each origin; in the order of tables."""

import logging

from market_pipeline.models.forecasters.boosting import BOOSTING
from market_pipeline.models.forecasters.classical import ETS, THETA
from market_pipeline.models.forecasters.drift import DRIFT
from market_pipeline.models.forecasters.garch import GARCH
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.linear import LINEAR
from market_pipeline.models.forecasters.logistic import LOGISTIC
from market_pipeline.models.forecasters.plugins import load_plugins
from market_pipeline.models.forecasters.prophet import PROPHET
from market_pipeline.models.forecasters.protocol import CLAIMS, Forecaster
from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK
from market_pipeline.storage.tables.portfolios import JOINT_MODELS

LOG = logging.getLogger(__name__)

BUILT_IN: tuple[Forecaster, ...] = (
    RANDOM_WALK, DRIFT, EWMA, GARCH, HAR, LOGISTIC, LINEAR, BOOSTING, ETS, THETA, PROPHET,
)  # fmt: skip

ENSEMBLE = "ensemble"

MEMBERS = (EWMA.name, GARCH.name, HAR.name)
"""Three models of the range, with equal weights in the ensemble."""

JOINT = "joint"
"""The simulation of all symbols together, for ranks only."""

TAKEN = (*(forecaster.name for forecaster in BUILT_IN), ENSEMBLE, JOINT, *JOINT_MODELS)
"""Names that no plugin can have."""

PLUGINS = load_plugins(TAKEN)
for fault in PLUGINS.broken:
    LOG.warning(fault)

FORECASTERS: tuple[Forecaster, ...] = (*BUILT_IN, *PLUGINS.usable)

REFITTED = tuple(forecaster.name for forecaster in FORECASTERS if getattr(forecaster, "refitted", False))
"""Fitted again at each origin, on all that is known there."""

_CLAIMS: dict[str, tuple[str, ...]] = {
    **{forecaster.name: tuple(getattr(forecaster, "claims", CLAIMS)) for forecaster in FORECASTERS},
    ENSEMBLE: ("range",),
    JOINT: ("rank",),
    **dict.fromkeys(JOINT_MODELS, ("portfolio",)),
}
_CLAIMS = {
    model: (*claims, "tail") if "range" in claims and "tail" not in claims else claims
    for model, claims in _CLAIMS.items()
}

MODELS = tuple(_CLAIMS)
"""The names of all models."""


def claims_of(model: str) -> tuple[str, ...]:
    """The questions for which a model may be selected; CLAIMS for one that is not there any more.

    Who claims the range claims its tail.
    """
    return _CLAIMS.get(model, CLAIMS)
