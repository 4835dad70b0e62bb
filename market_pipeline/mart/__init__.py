"""What readers get: the published database and the report."""
