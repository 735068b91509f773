"""A snippet whose program is missing is skipped; on CI that is a failure."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.snippets.kinds import KINDS, PROXIES
from tests.snippets.wrong import Missing

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        params = getattr(item, "callspec", None)
        kind = params and KINDS.get(params.params.get("kind", ""))
        for mark in marks(kind.needs) if kind else ():
            item.add_marker(mark)


def marks(needs: str) -> tuple[str, ...]:
    """What starts a real proxy is for make fidelity; what uses sockets is live."""
    if needs in PROXIES:
        return ("live", "real")
    return ("live",) if needs else ()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except Missing as missing:
        pytest.skip(str(missing))
