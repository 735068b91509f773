"""What the course tells people to type is pasted into the program that it is for."""
