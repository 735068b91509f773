"""One module of asyncio's own tests on virtual-time loops, the result as JSON."""

import asyncio
import importlib
import json
import sys
import unittest
import warnings

from labkit.clock import VirtualLoop
from labkit.net.memory import MemoryNetwork

warnings.simplefilter("ignore")


class Policy(asyncio.DefaultEventLoopPolicy):
    """Every loop that a test asks for is a virtual one."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop(MemoryNetwork())


if __name__ == "__main__":
    module = importlib.import_module(f"test.test_asyncio.{sys.argv[1]}")
    asyncio.set_event_loop_policy(Policy())
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    wrong = [
        (test.id(), text.strip().splitlines()[-1])
        for test, text in (*result.failures, *result.errors)
    ]
    print(json.dumps({"ran": result.testsRun, "wrong": wrong}))
