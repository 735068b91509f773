"""From a symptom to its cause: the index of error strings."""

from labkit.doctor.errors import Entry, Explanation, explain

__all__ = ["Entry", "Explanation", "explain"]
