"""Market forecasts, end to end, each with a verdict against a random walk.

Packages in the order in which data flows; each imports earlier ones only:

    config          settings and markets, validated
    storage         the warehouse; every table, declared once
    sources         Yahoo, exchanges, files, a simulated market
    orchestration   jobs, schedules, sensors, runs and alerts
    prices, indicators, models, forecasts, scores
    mart            what readers get: a database and a report
    definitions     everything Dagster knows
    cli             the command line
"""

__version__ = "0.2.0"
