"""The verbs of the command line, each with its options and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit import __version__
from labkit.cli.compare import compare
from labkit.cli.explain import explain
from labkit.cli.parser import (
    Parser,
    add_changes,
    add_engine,
    add_file,
    add_json,
    add_log,
    add_proxy,
    add_size,
    add_verb,
    add_yes,
    whole,
)
from labkit.cli.run import run
from labkit.cli.serve import serve
from labkit.cli.settings import settings
from labkit.cli.shipped import copy, scenarios
from labkit.cli.start import start
from labkit.cli.sweep import sweep

if TYPE_CHECKING:
    from labkit.cli.parser import Verbs


def parser() -> Parser:
    """The whole command line."""
    made = Parser(
        prog="labkit",
        description="See what HTTP/1.1 connections do behind a proxy.",
        epilog=_FIRST_STEPS,
    )
    made.add_argument("--version", action="version", version=f"labkit {__version__}")
    verbs = made.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    for add in (_start, _run, _serve, _sweep, _compare, _explain):
        add(verbs)
    for add in (_scenarios, _settings, _copy):
        add(verbs)
    return made


_FIRST_STEPS = """\
first steps:
  labkit start                          the course, in JupyterLab
  labkit scenarios                      what there is to run
  labkit run mistuned-upstream          one of them
  labkit explain '503 UC'               what an error means
  labkit run --help                     the options of a verb, with examples
"""


def _start(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "start",
        start,
        "open the course in JupyterLab, in a copy of your own",
        "What is there is never overwritten. Words behind -- go to JupyterLab.",
        """labkit start
        labkit start 03
        labkit start ~/courses/http 03 --no-browser --port 8899
        labkit start --fresh 03
        labkit start -- --ip=0.0.0.0""",
    )
    verb.add_argument(
        "what",
        nargs="*",
        metavar="FOLDER|NN",
        help="where your copy lies or shall lie (~/labkit-course), and the number of a "
        "notebook to open",
    )
    verb.add_argument(
        "--fresh",
        metavar="NN",
        help="bring this notebook back as it was shipped; yours is kept beside it",
    )
    verb.add_argument(
        "--no-browser", action="store_true", help="print the address, open nothing"
    )
    verb.add_argument(
        "--port",
        type=whole,
        metavar="N",
        help="of JupyterLab; the next free one if not given",
    )


def _run(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "run",
        run,
        "run a scenario and print what came of it",
        "In virtual time hours of traffic take seconds, on real sockets hours.",
        """labkit run safe
        labkit run mistuned-upstream --set hop.1.pool.idle_timeout=4
        labkit run mistuned-upstream --engine live --requests 20 --set traffic.rate=2
        labkit run mistuned-upstream --requests 9 --plot run.svg""",
    )
    add_file(verb)
    add_engine(verb)
    add_size(verb)
    add_changes(verb)
    add_log(verb)
    add_json(verb)
    add_yes(verb)
    verb.add_argument(
        "--show-config",
        action="store_true",
        help="print what the real proxies would be configured with, run nothing",
    )
    verb.add_argument("--trace", metavar="FILE.jsonl", help="write every segment")
    verb.add_argument(
        "--plot", metavar="FILE.svg", help="draw the sequence diagram (.svg or .png)"
    )


def _serve(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "serve",
        serve,
        "leave the chain running for clients of your own",
        "It listens on 127.0.0.1 and prints one line per request; Ctrl-C ends it.",
        """labkit serve mistuned-upstream --port 8080
        labkit serve mistuned-upstream --proxy envoy --log-format json""",
    )
    add_file(verb)
    add_proxy(verb)
    verb.add_argument(
        "--port",
        type=whole,
        default=0,
        metavar="N",
        help="of the first server; a free one if not given",
    )
    verb.add_argument(
        "--log-format",
        default="text",
        metavar="text|json",
        help="text (the default), or json under the names of Envoy's access log",
    )
    add_changes(verb)


def _sweep(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "sweep",
        sweep,
        "run a scenario at every point of a grid",
        "Ctrl-C prints what is done.",
        """labkit sweep mistuned-upstream --vary hop.1.pool.idle_timeout=1:10:19
        labkit sweep safe --vary traffic.rate=0.1:10:9log --engine model --plot rate.svg
        labkit sweep safe --vary hop.1.server.idle_timeout=5,60,inf --csv t.csv""",
    )
    add_file(verb)
    verb.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="PATH=VALUES",
        help="START:STOP:STEPS (both ends included), START:STOP:STEPSlog, or 1,2,5; "
        "may be given many times",
    )
    add_engine(verb)
    _add_workers(verb)
    add_size(verb, " at each point")
    add_changes(verb)
    add_json(verb)
    add_yes(verb)
    _add_tables(verb)


def _add_workers(verb: Parser) -> None:
    workers = verb.add_mutually_exclusive_group()
    workers.add_argument(
        "--workers", type=whole, metavar="N", help="processes here; one per core"
    )
    workers.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler")


def _add_tables(verb: Parser) -> None:
    verb.add_argument("--csv", metavar="FILE.csv", help="write the table")
    verb.add_argument("--parquet", metavar="FILE.parquet", help="write the table")
    verb.add_argument(
        "--resume", metavar="FILE", help="keep finished points here and go on with them"
    )
    verb.add_argument(
        "--plot", metavar="FILE.svg", help="draw the error rate (.svg or .png)"
    )


def _compare(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "compare",
        compare,
        "compare theory, model, virtual, live and Envoy",
        "All of them are asked for the share of failed requests.",
        """labkit compare upstream-race --engines theory,model,virtual
        labkit compare upstream-race --plot compare.svg""",
    )
    add_file(verb)
    verb.add_argument(
        "--engines",
        metavar="E[,E]",
        help="which of theory,model,virtual,live,envoy; all if not given",
    )
    verb.add_argument(
        "--requests", type=whole, metavar="N", help="live and with Envoy (3000)"
    )
    add_changes(verb)
    add_log(verb)
    add_json(verb)
    add_yes(verb)
    verb.add_argument(
        "--plot", metavar="FILE.svg", help="draw all columns (.svg or .png)"
    )


def _explain(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "explain",
        explain,
        "say what an error string means",
        "Exit status 1 if the words are unknown.",
        """labkit explain '503 UC upstream_reset_before_response_started'
        labkit explain "$(tail -n 20 error.log)" """,
    )
    verb.add_argument(
        "text", nargs="+", metavar="TEXT", help="an error, a line of a log, or a paste"
    )
    add_json(verb)


def _scenarios(verbs: Verbs) -> None:
    add_verb(
        verbs,
        "scenarios",
        scenarios,
        "list the scenarios that come with the lab",
        "Their names do for FILE in every verb.",
        """labkit scenarios
        labkit run safe""",
    )


def _settings(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "settings",
        settings,
        "explain every knob: default, range, unit",
        "hop.0 is the first hop; N stands for any number.",
        """labkit settings
        labkit settings pool
        labkit settings hop.1.server.idle_timeout""",
    )
    verb.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="a knob, or a group of them"
    )


def _copy(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "copy",
        copy,
        "copy a scenario or access log that comes with the lab, to change it",
        "Nothing is overwritten.",
        """labkit copy safe
        labkit copy safe mine.toml
        labkit copy envoy-text.log logs/""",
    )
    verb.add_argument("name", metavar="NAME", help="as labkit scenarios lists them")
    verb.add_argument(
        "to", nargs="?", default=".", metavar="TO", help="a file, or a folder (here)"
    )
