"""The learner's own copy: laid out once, kept, brought back, found again."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.sign import NotebookNotary

from labkit import resources
from labkit.cli import course, jupyter, main
from labkit.cli.course import Course, names
from labkit.cli.start import chosen

FIRST = names()[0]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, with nothing of Jupyter's in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("RUNTIME", "CONFIG", "DATA"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(home / name.lower()))
    return home


def laid_out(folder: Path) -> Course:
    copy = Course(folder)
    copy.lay_out()
    return copy


# -- the copy ------------------------------------------------------------------------


def test_all_notebooks_and_all_data_lie_there(tmp_path: Path) -> None:
    assert Course(tmp_path / "a" / "b").lay_out() == names()
    there = tmp_path / "a" / "b"
    assert sorted(file.name for file in there.glob("*.ipynb")) == names()
    assert (there / "data" / "default-timeouts.csv").is_file()
    assert (there / "data" / "scenarios" / "reports" / "istio-50506.toml").is_file()


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_text("my answers")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("my notes")
    assert Course(tmp_path).lay_out() == names()[1:]
    assert Course(tmp_path).lay_out() == []
    assert (tmp_path / FIRST).read_text() == "my answers"
    assert (tmp_path / "data" / "README.md").read_text() == "my notes"


def test_a_notebook_is_brought_back_and_the_old_ones_are_kept(tmp_path: Path) -> None:
    copy = laid_out(tmp_path)
    shipped = (tmp_path / FIRST).read_bytes()
    kept = []
    for mine in ("first", "second"):
        (tmp_path / FIRST).write_text(mine)
        kept.append(copy.bring_back(FIRST))
        assert (tmp_path / FIRST).read_bytes() == shipped
    assert [path.read_text() for path in kept if path] == ["first", "second"]
    assert copy.bring_back(FIRST) is None


def test_a_newer_text_is_told_and_not_forced(tmp_path: Path) -> None:
    copy = laid_out(tmp_path)
    assert copy.outdated() == []
    note = tmp_path / course.OWN / "shipped.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), FIRST: "older"}))
    assert copy.outdated() == [FIRST]
    copy.bring_back(FIRST)
    note.write_text("{")
    assert copy.outdated() == []


@pytest.mark.parametrize("name", names())
def test_a_copy_is_what_jupyterlab_would_write(name: str, tmp_path: Path) -> None:
    copy = tmp_path / name
    laid_out(tmp_path)
    notebook = nbformat.read(copy, as_version=4)
    spec = KernelSpecManager().get_kernel_spec("python3")
    assert notebook.metadata.kernelspec == {
        "display_name": spec.display_name,
        "language": spec.language,
        "name": "python3",
    }
    assert notebook.metadata.language_info == language_of_the_kernel()
    assert nbformat.writes(notebook) + "\n" == copy.read_text("utf-8")
    assert NotebookNotary().check_signature(notebook)


def language_of_the_kernel() -> object:
    """What JupyterLab takes from the kernel's answer and writes into the notebook."""
    from ipykernel.ipkernel import IPythonKernel

    return IPythonKernel.language_info


def test_links_to_data_lead_to_the_folder_beside_the_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("[table](../data/t.csv)")]
    notebook.metadata = {"kernelspec": {}, "language_info": {}}
    nbformat.write(notebook, tmp_path / "00-a.ipynb")
    monkeypatch.setattr(resources, "notebooks", lambda: tmp_path)
    laid_out(tmp_path / "copy")
    assert "[table](data/t.csv)" in (tmp_path / "copy" / "00-a.ipynb").read_text()


# -- words and what cannot be --------------------------------------------------------


def test_words_name_a_folder_and_a_notebook(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen([]) == (home / "labkit-course", FIRST)
    assert chosen(["3"]) == (home / "labkit-course", names()[3])
    assert chosen(["~/mine", names()[4]]) == (home / "mine", names()[4])
    assert chosen(["07", str(tmp_path)]) == (tmp_path, names()[7])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "05").mkdir()
    assert chosen(["05"]) == (tmp_path / "05", FIRST)


def said(*words: str) -> str:
    """The one line that a start prints on stderr, with exit status 2."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: object = main(["start", *words])
        except SystemExit as end:
            status = end.code
    assert status == 2 and err.getvalue().count("\n") == 1
    return err.getvalue()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--no-browsr"], ['"--no-browsr"; did you mean --no-browser?']),
        (["42"], ["no notebook 42", "00, 01"]),
        (["--fresh", "42"], ["no notebook 42"]),
        (["--fresh", "nine"], ["--fresh nine", FIRST]),
        (["a", "b"], ["a b", "one folder"]),
        ([""], ["no folder", '""']),
        (["--port", "x"], ["--port", '"x"']),
        (["--port", "70000"], ["--port 70000", "65535"]),
        (["/dev/null"], ["/dev/null is a file", "labkit start FOLDER"]),
        (["/dev/null/course"], ["/dev/null/course", "not a directory"]),
        (["/proc/course"], ["cannot write to /proc/course", "labkit start FOLDER"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(
    words: list[str], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(*words)
    assert [name for name in names if name not in told] == []


def test_on_a_full_disk_no_half_notebook_is_left(tmp_path: Path) -> None:
    # A limit on the size of files is as near to a full disk as a test can get.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from labkit.cli import main; sys.exit(main(['start', sys.argv[1]]))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "c")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot write to {tmp_path / 'c'}: file too large" in done.stderr
    assert [file for file in (tmp_path / "c").rglob("*") if file.is_file()] == []


def test_nobody_is_in_the_way_of_a_folder_that_no_server_serves(tmp_path: Path) -> None:
    assert jupyter.running(tmp_path, FIRST) is None


# -- a server ------------------------------------------------------------------------


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A start on its way, and its first two lines."""
    child = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "start", "--no-browser", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ),
    )
    try:
        assert child.stdout is not None
        yield child, [child.stdout.readline().strip() for _ in range(2)]
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.mark.live
def test_a_second_start_finds_the_first_and_one_ctrl_c_ends_it(
    home: Path, tmp_path: Path
) -> None:
    folder = home / "labkit-course"
    with started("--port", "0") as (child, lines):
        assert lines[0] == f"Your copy of the course: {folder} (new)"
        found = re.fullmatch(r"Open (http://\S+/lab/tree/)(\S+); Ctrl-C ends", lines[1])
        assert found and found[2].startswith(f"{FIRST}?token=")
        again, address = begun("03")
        assert again == f"Your copy of the course: {folder}\n"
        assert address.startswith("JupyterLab serves it already: open http://")
        assert f"{names()[3]}{found[2].removeprefix(FIRST)}" in address

        port = re.search(r":(\d+)/", lines[1])
        assert port
        with started("--port", port[1], str(tmp_path / "b")) as (other, more):
            assert port[1] in more[1] and "not available" in more[1]
            assert other.wait(60) != 0
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0


def begun(*words: str) -> list[str]:
    """What a start prints that needs no server of its own."""
    with redirect_stdout(io.StringIO()) as told:
        assert main(["start", *words]) == 0
    return told.getvalue().splitlines(keepends=True)
