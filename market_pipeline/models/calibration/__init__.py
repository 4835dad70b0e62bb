"""From a score to a distribution: residual quantiles, chances of a rise."""
