"""Layouts of plots: counts and curves become a sheet with axes."""
