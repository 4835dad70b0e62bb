"""Market forecasts, end to end, each with an honest verdict against a random walk.

The rooms lie in the order in which data flows, and no import goes back:

    sources -> prices -> indicators -> models -> forecasts -> scores -> mart

`settings` and `markets` say what is configured, `warehouse` is the only door to DuckDB,
`definitions` is the table of contents for Dagster, `cli` the one for the terminal.
"""

import os

__version__ = "0.1.0"

# Threads of scikit-learn's trees that wait for each other sleep rather than spin: where the cores are busy, a fit would
# else take ten times as long. Read when OpenMP loads, so it is said before anything is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The linear algebra of a fit runs in one thread, whatever the machine: sums in another order end in other bits.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
