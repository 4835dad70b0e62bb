"""Market forecasts, end to end, each with an honest verdict against a random walk.

The rooms lie in the order in which data flows, and no import goes back:

    sources -> prices -> indicators -> models -> forecasts -> scores -> mart

`settings` and `markets` say what is configured, `warehouse` is the only door to DuckDB,
`definitions` is the table of contents for Dagster, `cli` the one for the terminal.
"""

import os

__version__ = "0.1.0"

# One thread for each fit and each matrix product, whatever the machine. Sums in another order end in other bits; and
# the trees' threads wait for each other so often that two are slower than one. Work is divided among processes instead.
# Read when the libraries load, so it is said before anything is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
