"""What a run leaves behind: all that tables and figures read."""
