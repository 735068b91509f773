"""Layouts of diagrams: a record becomes a sheet, in pure Python."""
