"""Fitted models by month."""
