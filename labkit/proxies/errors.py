"""What can go wrong with a program that is not ours."""

from __future__ import annotations


class FieldError(RuntimeError):
    """A real proxy does not start, ended on its own, or complained of itself.

    The text is one sentence with the program's last words.
    """


class MissingProgram(FieldError):
    """A real proxy is not installed; the text says how to get it."""
