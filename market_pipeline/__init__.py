"""Market forecasts, end to end, each with an honest verdict against a random walk.

The rooms lie in the order in which data flows, and no import goes back:

    sources -> prices -> indicators -> models -> forecasts -> scores -> mart

`settings` and `markets` say what is configured, `warehouse` is the only door to DuckDB,
`definitions` is the table of contents for Dagster, `cli` the one for the terminal.
"""

__version__ = "0.1.0"
