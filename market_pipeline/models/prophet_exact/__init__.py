"""Prophet's own problem, solved exactly and for many series at once."""
