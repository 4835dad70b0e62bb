"""One file per family of forecasters, all behind one protocol."""
