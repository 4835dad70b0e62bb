"""The forecasters by family, their protocol, and their catalogue."""
