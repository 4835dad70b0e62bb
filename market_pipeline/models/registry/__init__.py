"""Monthly training and its registry rows."""
