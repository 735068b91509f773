"""What a run leaves behind: facts, counts and their reading, as plain data."""
