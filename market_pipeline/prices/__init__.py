"""Bars as traded, with their actions and faults: what was really known of each session."""
