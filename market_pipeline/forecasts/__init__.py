"""The distribution of every symbol, origin and horizon, as each model issued it."""
