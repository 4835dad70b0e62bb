"""The HTML report: what it reads, how it is worded and drawn."""
