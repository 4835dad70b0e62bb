"""What every test shares: one thread for each worker, for two workers with two threads each only wait for another."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
