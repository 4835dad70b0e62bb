"""A second source beside the stored bars: what it says otherwise, flagged and never mixed in."""
