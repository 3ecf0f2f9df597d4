"""What comes from a folder that somebody may have handed over: what it may hold and call."""
