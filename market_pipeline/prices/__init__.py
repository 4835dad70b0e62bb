"""Bars as traded, from a source into the warehouse, and the adjusted history that everything after reads."""
