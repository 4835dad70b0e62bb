"""Forecasters and their monthly training. See README.md."""
