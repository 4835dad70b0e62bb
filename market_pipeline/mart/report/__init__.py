"""The HTML report of the published mart: what it reads, its wording and its plots."""
