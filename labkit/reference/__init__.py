"""Curated facts with their sources: defaults of products, strings to causes."""
