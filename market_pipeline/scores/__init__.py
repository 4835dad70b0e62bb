"""Forecasts against what happened, verdicts on the models, and the published signals."""
