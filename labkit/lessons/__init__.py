"""What the notebooks ask and check: plain functions, no widgets."""
