"""From a score to a distribution: quantiles of residuals, and the chance of a rise."""
