"""Importing this gives each fit and each matrix product one thread, in a process that computes.

Sums in another order differ in the last bits, and two threads of a tree model are slower than one because they wait for
each other. Processes share the work instead. Libraries read these variables when they load, so `definitions` and `cli`
import this first. A process that only reads the mart does not: its threads are its own.

For the same reason arch does without numba: compiling its covariance takes two seconds of each process, computing it
none.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ARCH_DISABLE_NUMBA", "1")
