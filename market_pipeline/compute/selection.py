"""Where the settings have work computed. Ray itself loads only when it is used."""

from market_pipeline.compute.cluster import RayCluster
from market_pipeline.compute.processes import FITS, MONTHS
from market_pipeline.compute.protocol import Compute
from market_pipeline.compute.threads import OneByOne
from market_pipeline.config.settings import LOCAL, Settings


def open_compute(settings: Settings) -> Compute:
    """The configured place; opens no connection."""
    return FITS if settings.compute == LOCAL else RayCluster(settings.compute)


def open_months(settings: Settings) -> Compute:
    """Where the forecasts of months are made: here. A cluster cuts a long range into runs instead."""
    return MONTHS if settings.compute == LOCAL else OneByOne()


def on_several_hosts(settings: Settings) -> bool:
    """Whether several hosts execute the runs of one instance, so that a long range becomes several runs."""
    return settings.warehouse is not None and settings.compute != LOCAL
