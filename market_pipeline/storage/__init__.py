"""Where data lies: the warehouse, its tables, grids of their rows, artifacts."""
