"""Forecasters and their training: one file per family, all behind one protocol."""
