"""In a notebook an error is one line, and a learner's own error keeps its lines."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Said = Callable[..., list[str]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """Run a cell in a kernel as ``labkit start`` begins it; the lines of its error.

    With ``stop``, the kernel is interrupted once, as soon as the cell has printed it.
    """
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "startup.py").write_text('__import__("labkit")\n')
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONSTARTUP", str(folder / "startup.py"))
    patch.setenv("IPYTHONDIR", str(folder))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    lines: list[str] = []
    printed = ""

    def heard(message: dict[str, object], stop: str) -> None:
        nonlocal printed
        content = message["content"]
        assert isinstance(content, dict)
        if message["msg_type"] == "error":
            told = "\n".join(content["traceback"])
            lines.extend(COLOURS.sub("", told).splitlines())
        if message["msg_type"] == "stream" and stop and stop not in printed:
            printed += content["text"]
            if stop in printed:
                manager.interrupt_kernel()

    def run(code: str, stop: str = "") -> list[str]:
        nonlocal printed
        lines.clear()
        printed = ""
        client.execute_interactive(
            code,
            output_hook=lambda message: heard(message, stop),
            stop_on_error=False,
            timeout=60,
        )
        return list(lines)

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    patch.undo()


IMPORT = "import labkit\n"
CASES = [
    ("labkit.run('safe')", "NameError: labkit is not there yet: run the cells above"),
    (IMPORT + "labkit.run('sfe')", "SettingsError: no scenario is called"),
    (IMPORT + "labkit.run(None)", "SettingsError: the scenario is None; allowed"),
    (
        IMPORT + "labkit.scenario('safe').replace('hop.1.pool.idle_timout', 3)",
        "SettingsError: hop.1.pool.idle_timout is not a setting; did you mean",
    ),
    (
        IMPORT + "labkit.scenario('safe').replace('hop.1.pool.idle_timeout', '4 s')",
        'SettingsError: hop.1.pool.idle_timeout is "4 s"; allowed: 0 to',
    ),
    (IMPORT + "labkit.explain(None)", "SettingsError: the text is None; allowed"),
    (IMPORT + "labkit.explain('')", "SettingsError: the text is empty; allowed"),
    (
        IMPORT + "labkit.run('safe', engine='live', proxy='enoy')",
        "SettingsError: proxy is 'enoy'; allowed: ",
    ),
    (
        "import subprocess, os\nos.environ['PATH'] = ''\nsubprocess.run(['curl'])",
        "curl is not installed here; in Python: ",
    ),
    (IMPORT + "labkit.Lab('safe').urls['proxy']", "RuntimeError: the lab is not run"),
    (IMPORT + "labkit.Lab('safe').drain(0)", "RuntimeError: the lab is not running"),
    # What nobody foresaw is one line as well, and says where to see more.
    (IMPORT + "labkit.run('safe', engine=['a'] * 3, trace=1)", "SettingsError: engine"),
    (IMPORT + "labkit.run_many(5)", "TypeError: 'int' object is not iterable (line 2"),
]


@pytest.mark.parametrize(("code", "begins"), CASES)
def test_an_error_is_one_line(code: str, begins: str, said: Said) -> None:
    said("%reset -f")
    told = said(code)
    assert len(told) == 1 and told[0].startswith(begins)


def test_everything_is_seen_on_demand(said: Said) -> None:
    said(IMPORT + "labkit.run_many(5)")
    told = said("%tb")
    assert len(told) > 5 and any("engines.py" in line for line in told)


@pytest.mark.parametrize(
    ("code", "shows"),
    [
        ("x = 1\nx / 0", "----> 2 x / 0"),
        ("nobody_knows_this", "NameError: name 'nobody_knows_this' is not defined"),
        ("raise ValueError('mine')", "ValueError: mine"),
        ("1 +", "SyntaxError"),
    ],
)
def test_a_learners_own_error_keeps_its_line(code: str, shows: str, said: Said) -> None:
    told = said(code)
    assert any(shows in line for line in told)


def test_of_a_learners_error_within_labkit_only_the_learners_lines_show(
    said: Said,
) -> None:
    told = said(
        "from labkit.clock import run_nested\n"
        "async def play():\n"
        "    return 1 / 0\n"
        "run_nested(play())"
    )
    assert any("----> 3     return 1 / 0" in line for line in told)
    assert not any("clock.py" in line for line in told)


ENDLESS = [
    "print('go', flush=True)\nwhile True: pass",
    "from labkit.clock import run_nested\n"
    "async def play():\n"
    "    print('go', flush=True)\n"
    "    while True: pass\n"
    "run_nested(play())",
    "import labkit\nfrom labkit.clock import run_nested\nimport asyncio\n"
    "async def play():\n"
    "    print('go', flush=True)\n"
    "    while True: await asyncio.sleep(1)\n"
    "run_nested(play())",
    "import labkit, threading\n"
    "threading.Timer(0.3, lambda: print('go', flush=True)).start()\n"
    "labkit.run('safe', engine='live', progress=False)",
    "import labkit, threading\n"
    "threading.Timer(0.3, lambda: print('go', flush=True)).start()\n"
    "await labkit.arun('safe', engine='live', progress=False)",
]


@pytest.mark.live
@pytest.mark.parametrize("code", ENDLESS)
def test_one_interrupt_is_enough_and_one_line(code: str, said: Said) -> None:
    began = time.perf_counter()
    told = said(code, stop="go")
    assert len(told) == 1 and re.fullmatch(r"stopped \(line \d of the cell\)", told[0])
    assert time.perf_counter() - began < 20


def test_the_kernel_of_the_course_has_no_name_that_nobody_gave(
    said: Said, tmp_path: Path
) -> None:
    said("%reset -f")
    seen = tmp_path / "names"
    said(f"open({str(seen)!r}, 'w').write(str('labkit' in globals()))")
    assert seen.read_text() == "False"
