"""What a checker says against a snippet, for the tests of every kind."""

import pytest

from tests.snippets.kinds import check
from tests.snippets.wrong import Wrong


def complaint(kind: str, text: str) -> str:
    """The sentence with which this snippet is refused; it fails if it is not."""
    with pytest.raises(Wrong) as refused:
        check(kind, text)
    return str(refused.value)
