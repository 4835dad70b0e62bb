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

import os

__version__ = "0.2.0"

# One thread for each fit and each matrix product on any machine: sums in another order differ in the last bits, and two
# threads of a tree model are slower than one because they wait for each other. Processes share the work instead.
# Libraries read these variables when they load, so they are set before any import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
