"""Where bars come from: one protocol, one file for each source. Nothing here knows Dagster or DuckDB."""
