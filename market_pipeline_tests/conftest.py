"""What every test shares: one thread for each worker, for two workers with two threads each only wait for another."""

import signal

import market_pipeline.config.threads  # noqa: F401

# A background job of a shell ignores SIGINT. Dagster then ignores SIGTERM as well, and so do processes of tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
