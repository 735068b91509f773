"""The same misbehaviour behind a real Envoy: its answers, and no lost record."""

import logging

import pytest

from labkit import run
from tests.test_misbehaving_origins import ANSWERS, LARGE, complaints, statuses, upload

pytestmark = [pytest.mark.live, pytest.mark.real]


@pytest.mark.parametrize("script", ANSWERS)
def test_a_large_upload_through_envoy_keeps_its_record(
    script: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    done = run(
        upload(script, LARGE, "envoy"), engine="live", proxy="envoy", progress=False
    )
    assert statuses(done) <= ANSWERS[script]
    assert complaints(caplog) == []
