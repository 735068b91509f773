"""One JupyterLab and one Chromium for all browser tests of a worker."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tools import jupyterlab as lab


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    try:
        with lab.chromium() as browser:
            yield browser
    except LookupError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with lab.jupyterlab(tmp_path_factory.mktemp("jupyter")) as where:
        yield where
