"""Questions put to several engines: gaps, lateness, and all columns side by side."""
