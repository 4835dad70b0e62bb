"""What is configured: settings of the environment, and markets."""
