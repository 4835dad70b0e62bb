"""TA-Lib indicators of every symbol and session, scale-free or bounded."""
