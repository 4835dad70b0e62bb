"""Faults of several hosts, tried on one machine, and how much faster two hosts are than one."""
