"""What every test shares: one thread for each worker, for two workers with two threads each only wait for another."""

import market_pipeline.config.threads  # noqa: F401
