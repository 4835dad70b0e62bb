"""The processes of the server, what starts them again, and which requests the web process takes."""
