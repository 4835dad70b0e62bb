"""Importing this prepares a process that computes, or that imports Dagster.

Each fit and each matrix product gets one thread. Sums in another order differ in the last bits, and two threads of a
tree model are slower than one because they wait for each other. Processes share the work instead. Libraries read these
variables when they load, so `definitions` and `cli` import this first. A process that only reads the mart does not: its
threads are its own. For the same reason arch does without numba: compiling its covariance takes two seconds of each
process, computing it none.

Python looks for unreachable objects less often: imports make hundreds of thousands of objects that stay, and looking at
them again and again is 20 % of their time. At the end it does not look for them at all, which takes half a second of
each process: the system takes their memory back.
"""

import atexit
import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ARCH_DISABLE_NUMBA", "1")

NEW_OBJECTS = 10_000
"""New objects until Python looks for unreachable ones among them."""

gc.set_threshold(NEW_OBJECTS)
atexit.register(gc.freeze)
