"""From a symptom to its cause: the index of error strings."""

from labkit.doctor.errors import explain
from labkit.doctor.explanation import Entry, Explanation

__all__ = ["Entry", "Explanation", "explain"]
