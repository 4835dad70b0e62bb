"""All symbols of a market together: how they move with each other, and what a portfolio of them may lose."""
