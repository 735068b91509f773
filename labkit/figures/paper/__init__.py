"""The sheet of paper, its letters and colours, and the two pens that draw it."""
