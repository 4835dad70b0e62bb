"""Everything Dagster knows, in the order in which data flows: a chain of assets for each market, then the mart."""

import warnings

import dagster as dg

import market_pipeline.config.process  # noqa: F401  numpy reads what it sets, when it loads
from market_pipeline.compute.selection import on_several_hosts
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import configured_markets
from market_pipeline.config.settings import Settings
from market_pipeline.forecasts.assets import forecasts_asset
from market_pipeline.forecasts.checks import forecasts_checks
from market_pipeline.indicators.assets import indicators_asset
from market_pipeline.indicators.checks import indicators_checks
from market_pipeline.mart.assets import mart_asset
from market_pipeline.models.assets import models_asset
from market_pipeline.models.checks import models_checks
from market_pipeline.orchestration.alerts import alerts_sensor
from market_pipeline.orchestration.chain import chain_of
from market_pipeline.orchestration.freshness import freshness_sensor
from market_pipeline.orchestration.jobs import jobs_of, schedules_of
from market_pipeline.orchestration.launcher import one_process
from market_pipeline.orchestration.resources import resources_of
from market_pipeline.orchestration.sensors import sensors_of
from market_pipeline.prices.assets import cross_check_asset, prices_asset
from market_pipeline.prices.checks import prices_checks
from market_pipeline.scores.assets import leaderboard_asset, scores_asset, signals_asset
from market_pipeline.scores.checks import scores_checks

# Backfill policies, and mappings that start before the first partition, are in beta: Dagster warns at every load.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(settings: Settings) -> dg.Definitions:
    """The definitions for these settings; raises ConfigurationError when the settings or the markets are invalid."""
    markets = configured_markets(settings)
    checks = [check for market in markets for check in checks_of(market)]
    jobs = {market.name: jobs_of(market) for market in markets}
    every_job = [job for market in markets for job in jobs[market.name]]
    sensors = [sensor for market in markets for sensor in sensors_of(market, jobs[market.name])]
    sensors.append(freshness_sensor(markets))
    if settings.alerts:
        sensors.append(alerts_sensor(markets, [job.name for job in every_job], checks, settings.alerts))
    cut = on_several_hosts(settings)
    return dg.Definitions(
        assets=[*(asset for market in markets for asset in assets_of(market, cut=cut)), mart_asset(markets)],
        asset_checks=checks,
        jobs=every_job,
        schedules=[schedule for market in markets for schedule in schedules_of(market)],
        sensors=sensors,
        resources=resources_of(settings),
        executor=one_process,
    )


def assets_of(market: Market, *, cut: bool = False) -> list[dg.AssetsDefinition]:
    """The assets of one market, as the chain declares them; with `cut`, long ranges of some are several runs."""
    assets = [
        prices_asset(market),
        *([cross_check_asset(market)] if market.cross_check else []),
        indicators_asset(market),
        models_asset(market, cut=cut),
        forecasts_asset(market, cut=cut),
        scores_asset(market, cut=cut),
        leaderboard_asset(market),
        signals_asset(market),
    ]
    declared = [asset.key(market.name) for asset in chain_of(market) if not asset.shared]
    defined = [list(asset.key.path) for asset in assets]
    if defined != declared:
        raise ValueError(f"definitions.py has the assets {defined}, but orchestration/chain.py declares {declared}")
    return assets


def checks_of(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of one market, in the order of its assets."""
    return [
        *prices_checks(market),
        *indicators_checks(market),
        *models_checks(market),
        *forecasts_checks(market),
        *scores_checks(market),
    ]


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of this environment."""
    return build_definitions(Settings.from_environment())
