"""What a model may know: panels, returns, volatility, training samples."""
