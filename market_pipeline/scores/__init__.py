"""Forecasts that came due against what happened, and the verdicts that follow."""
