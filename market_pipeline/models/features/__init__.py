"""What a model may know: volatility, samples, panels."""
