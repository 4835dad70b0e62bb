"""What can be typed: filling a home, reading it, keeping it. Knows the terminal; computes nothing."""
