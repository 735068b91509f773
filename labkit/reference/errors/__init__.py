"""From a symptom to its cause: the index of error strings."""

from labkit.reference.errors.explanation import Entry, Explanation
from labkit.reference.errors.lookup import explain

__all__ = ["Entry", "Explanation", "explain"]
