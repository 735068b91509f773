"""The house keeps its rules: floors, a light import, pins, no clock but the loop's."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import metadata
from pathlib import Path
from statistics import median

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import labkit

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SECONDS_TO_IMPORT = 0.15
DISTRIBUTION = "http-connection-lab"
EXTRAS = ("proxies", "dask", "parquet", "bench", "dev")
HEAVY = ("numpy", "matplotlib", "ipywidgets", "aiohttp", "asyncio")


def told(
    *words: str | Path, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, input=text, capture_output=True, text=True)


def test_every_module_imports_only_from_lower_floors() -> None:
    done = told(BIN / "lint-imports")
    assert done.returncode == 0, done.stdout


def ruff_on(code: str, path: str) -> str:
    words = [BIN / "ruff", "check", "--select", "TID251", "--stdin-filename", path, "-"]
    return told(*words, text=code).stdout


@pytest.mark.parametrize("call", ["time.time", "time.monotonic", "random.random"])
def test_the_linter_refuses_clocks_and_chance_of_the_machine(call: str) -> None:
    code = f"import {call.split('.')[0]}\n\n{call}()\n"
    assert call in ruff_on(code, "labkit/roles/anywhere.py")


def test_labkit_takes_time_from_the_loop_and_chance_from_a_seed() -> None:
    done = told(BIN / "ruff", "check", "--select", "TID251", "labkit")
    assert done.returncode == 0, done.stdout


def test_importing_labkit_brings_in_nothing_heavy() -> None:
    code = f"import sys, labkit; print([m for m in {HEAVY} if m in sys.modules])"
    assert told(sys.executable, "-c", code).stdout.strip() == "[]"


def test_importing_labkit_takes_no_noticeable_time() -> None:
    code = (
        "from time import process_time as now; began = now(); import labkit;"
        "print(now() - began)"
    )
    spent = [float(told(sys.executable, "-c", code).stdout) for _ in range(5)]
    assert median(spent) < SECONDS_TO_IMPORT


def constraint_lines() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_a_constraint_is_one_exact_version() -> None:
    wanted = re.compile(r"==[^*,]+$")
    loose = [
        str(each)
        for each in constraint_lines()
        if not wanted.match(str(each.specifier))
    ]
    assert not loose


def needs(name: str, extras: frozenset[str], seen: set[str]) -> set[str]:
    """The names of all that a distribution needs here, direct or not."""
    for line in metadata.requires(name) or []:
        need = Requirement(line)
        marked = need.marker is None or any(
            need.marker.evaluate({"extra": extra}) for extra in extras | {""}
        )
        found = canonicalize_name(need.name)
        if marked and found not in seen:
            seen.add(found)
            needs(found, frozenset(need.extras), seen)
    return seen


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = {
        canonicalize_name(each.name): each.specifier
        for each in constraint_lines()
        if each.marker is None or each.marker.evaluate()
    }
    wanted = needs(DISTRIBUTION, frozenset({"dev"}), set())
    unpinned = wanted - set(pinned)
    other = {n for n in wanted & set(pinned) if metadata.version(n) not in pinned[n]}
    assert (unpinned, other) == (set(), set())


def test_a_plain_install_carries_notebooks_and_scenarios(tmp_path: Path) -> None:
    """The wheel is built from the pins that are installed here: no network."""
    words = ["-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = told(sys.executable, *words)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob(f"{DISTRIBUTION.replace('-', '_')}-*.whl")
    inside = told(sys.executable, "-m", "zipfile", "-l", wheel).stdout
    assert "labkit/_shipped/data/scenarios/alb-envoy-node.toml" in inside
    assert "labkit/py.typed" in inside


def test_the_distribution_has_its_own_name_and_the_package_keeps_its() -> None:
    assert metadata.version(DISTRIBUTION) == labkit.__version__
    [script] = metadata.entry_points(group="console_scripts", name="labkit")
    assert script.value == "labkit.cli:main"
    assert set(metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []) == set(
        EXTRAS
    )


ELSEWHERE = {".venv", ".git", ".cache", "__pycache__", "build", "dist"}
# What would install somebody else's package: the import name where pip wants the other.
INSTALLS = re.compile(
    rf"pip3? install[^\n`&;|,]*?(?<![\w./-]){'lab'}kit\b(?![/.\w-])"
    rf"|(?<![\w./-]){'lab'}kit\[({'|'.join(EXTRAS)})\b"
)


def texts() -> Iterator[Path]:
    """Every file of the checkout that a person may read or a program may run."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in ELSEWHERE]
        yield from (Path(folder, each) for each in names)


def test_nobody_is_told_to_install_another_projects_package() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        for match in INSTALLS.finditer(path.read_text("utf-8", errors="ignore"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("pip install {}", True),
        ("pip install '{}[proxies]'", True),
        ("-e {}[dask]", True),
        ("pip install -q -U {}", True),
        ("pip install 'http-connection-lab[proxies]'", False),
        ("pip install -e . && {} start", False),
        ("`pip install -e .`, then `{} start`", False),
        ("pip install -c constraints.txt -e .", False),
    ],
)
def test_what_would_install_it_is_recognised(text: str, is_wrong: bool) -> None:
    assert bool(INSTALLS.search(text.format("lab" + "kit"))) == is_wrong


def test_the_readme_shows_what_its_code_prints() -> None:
    text = (ROOT / "README.md").read_text()
    code, output = re.findall(r"```(?:python|text)\n(.*?)```", text, re.DOTALL)
    done = told(sys.executable, "-c", code)
    assert done.stdout == output


@pytest.mark.parametrize("package", ["labkit", "bench"])
def test_no_module_needs_itself(package: str) -> None:
    """Late imports and those of type checkers count: a circle is one for a reader."""
    graph = grimp.build_graph(package, cache_dir=None)
    needs = {
        each: graph.find_modules_directly_imported_by(each) for each in graph.modules
    }
    assert len(list(TopologicalSorter(needs).static_order())) == len(graph.modules)


def test_the_page_of_the_architecture_names_files_and_names_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|md|toml|csv))`", page))
    assert len(files) > 20
    for file in files:
        assert (ROOT / file).is_file() or (ROOT / "labkit" / file).is_file(), file
    for name, file in re.findall(r"`([A-Z]\w+)` in\s+`([a-z_/]+\.py)`", page):
        text = (ROOT / "labkit" / file).read_text(encoding="utf-8")
        assert re.search(rf"^class {name}\b", text, re.MULTILINE), name


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "labkit").rglob("*.py")):
        yield path.relative_to(ROOT / "labkit").as_posix(), path.read_text("utf-8")


def sums(tree: ast.AST) -> Iterator[ast.BinOp]:
    """What is added or subtracted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            yield node


def test_only_the_window_adds_up_the_timers_of_a_goodbye() -> None:
    """I + D, I + D + K: whoever needs them asks ``labkit.theory.window``."""
    timers = {"drain_timeout", "delayed_close_timeout"}
    adding = {
        file
        for file, text in sources()
        for node in sums(ast.parse(text))
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and part.attr in timers
    }
    assert adding == set()


@pytest.mark.parametrize(
    ("what", "home"),
    [
        (r"TICK_ROUNDING = ", "settings/vocabulary.py"),
        (r"\^_`\|", "settings/vocabulary.py"),
        (r'"gateway-error", "reset"|"reset", "5xx"', "settings/groups.py"),
        (r'\{"(POST|PUT|PATCH)", "(POST|PUT|PATCH)"', "settings/vocabulary.py"),
        (r"\b204, 304\b", "settings/vocabulary.py"),
        (r'"127\.0\.0\.1', "net/__init__.py"),
        (r"math\.log10\(\w*\(?share", "theory/text.py"),
    ],
)
def test_each_word_and_number_has_one_home(what: str, home: str) -> None:
    assert [file for file, text in sources() if re.search(what, text)] == [home]


# -- the tests -------------------------------------------------------------------------

TESTS = ROOT / "tests"
# What Jupyter and tuples call public although it begins with an underscore.
PUBLIC = re.compile(r"_(repr_\w+_|replace|asdict)|__\w+__")


def private_names(code: str) -> set[str]:
    """Names with an underscore that a module takes from others.

    What it defines itself, and what an object says of itself, is its own.
    """
    nodes = list(ast.walk(ast.parse(code)))
    reads = [n for n in nodes if isinstance(n, ast.Attribute)]
    own = {n.attr for n in reads if _is_self(n) and isinstance(n.ctx, ast.Store)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    taken = {n.attr for n in reads if not _is_self(n)} - own
    taken |= {a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names}
    taken |= {name for n in nodes if isinstance(n, ast.Call) for name in _by_name(n)}
    return {n for n in taken if n.startswith("_") and not PUBLIC.fullmatch(n)}


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


def _by_name(call: ast.Call) -> Iterator[str]:
    """Attributes that ``setattr`` and its like name by a string."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else call.func
    if getattr(called, "id", called) in {"setattr", "getattr", "hasattr", "delattr"}:
        for each in call.args[:2]:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value.rpartition(".")[2]


def test_no_test_pins_a_private_name_of_another_module() -> None:
    pinned = {
        str(path.relative_to(TESTS)): names
        for path in TESTS.rglob("*.py")
        if (names := private_names(path.read_text(encoding="utf-8")))
    }
    assert pinned == {}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from labkit.clock import _ring", {"_ring"}),
        ("run._trace.x", {"_trace"}),
        ("patch.setattr(clock, '_TICK', 1)", {"_TICK"}),
        ("patch.setattr('labkit.clock._TICK', 1)", {"_TICK"}),
        ("getattr(run, '_trace')", {"_trace"}),
        ("run._repr_html_(); head._replace(a=1); run.__class__", set()),
        ("class A:\n    def f(self):\n        self._x = 1\n\nA()._x", set()),
    ],
)
def test_a_private_name_is_recognised(code: str, names: set[str]) -> None:
    assert private_names(code) == names


def test_a_marker_that_parts_of_make_test_go_by_stands_in_files_of_tests() -> None:
    """The Makefile finds them by that word in a file whose name begins with test_.

    It names the folders whose own conftest.py gives a test its marker.
    """
    marker = re.compile(r"mark\.(live|quiet)\b|add_marker")
    files = {p for p in TESTS.rglob("*.py") if marker.search(p.read_text("utf-8"))}
    others = {p for p in files if not p.name.startswith("test_")}
    # That of tests/proxies adds "real" to what is live by its own word.
    given = {TESTS / name / "conftest.py" for name in ("proxies", "snippets")}
    assert others == given
    assert "LIVE = tests/snippets " in (ROOT / "Makefile").read_text(encoding="utf-8")
