"""A command line that does not come up, or has no effect, is refused."""

from __future__ import annotations

import pytest

from tests.snippets.kinds import check
from tests.snippets.refusing import complaint

REFUSED = [
    ("gunicorn", "gunicorn --keep-alive 65 app:app", "gthread has"),
    ("gunicorn", "gunicorn -k sync --keep-alive=65 app:app", "gthread has"),
    ("gunicorn", "gunicorn --keepalive 65 app:app", "unrecognized arguments"),
    ("gunicorn", "gunicorn -k gthread --keep-alive 65s app:app", "does not come up"),
    ("gunicorn", "gunicorn -k gthread --keep-alive 65", "needs one application"),
    ("gunicorn", "keepalive = 65", "gthread has"),
    ("uvicorn", "uvicorn --keep-alive 65 app:app", "No such option"),
    ("uvicorn", "uvicorn --timeout-keep-alive soon app:app", "does not come up"),
    ("uvicorn", "gunicorn app:app", "no command line of uvicorn"),
    ("hypercorn", "hypercorn --keepalive 65 app:app", "does not come up"),
]


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_a_wrong_command_is_refused_with_its_reason(
    kind: str, text: str, told: str
) -> None:
    assert told in complaint(kind, text)


RIGHT = [
    ("gunicorn", "gunicorn --threads 4 --keep-alive 65 app:app"),
    ("gunicorn", 'worker_class = "gthread"\nkeepalive = 65'),
    (
        "gunicorn",
        "gunicorn --bind 0.0.0.0:8000 \\\n    --graceful-timeout 30 web.wsgi:app",
    ),
    ("uvicorn", "uvicorn main:api --host 0.0.0.0 --port 8000 --timeout-keep-alive 65"),
]


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_a_command_in_any_usual_form_is_started(kind: str, text: str) -> None:
    check(kind, text)
