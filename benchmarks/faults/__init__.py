"""The fault campaign, `make faults`: what the pipeline withstands, tried and counted.

A module for each figure; `protocol.py` is what they share, `forked.py` and `traced.py` are how a command is run, killed
and disturbed, `directories.py` has the small data directory they work on, `page.py` writes docs/reliability.md.
"""
