"""Where work is computed: in threads of this process, or on a Ray cluster."""
