"""Prophet's maximum a posteriori, solved exactly and for many series at once. See README.md."""
