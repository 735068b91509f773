"""From a symptom to its cause: the index of error strings."""

from labkit.reference.errors.explanation import Explanation, KnownError
from labkit.reference.errors.lookup import explain

__all__ = ["Explanation", "KnownError", "explain"]
