"""The verbs of the command line: what each is for, its options, examples."""

from __future__ import annotations

from labkit import __version__
from labkit.cli.compare import compare
from labkit.cli.explain import explain
from labkit.cli.parser import Option, Parser, Verb, whole
from labkit.cli.run import run
from labkit.cli.serve import serve
from labkit.cli.settings import settings
from labkit.cli.shipped import copy, scenarios
from labkit.cli.start import start
from labkit.cli.sweep import sweep

# -- options that several verbs have --------------------------------------------------

_MANY = "; may be given many times"
FILE = Option(
    "file",
    "a scenario in TOML, or the name of one that comes with the lab (labkit scenarios)",
    metavar="FILE",
)
SET = Option(
    "--set",
    "turn a knob (labkit settings lists them); VALUE is TOML, words in quotes" + _MANY,
    action="append",
    default=[],
    metavar="PATH=VALUE",
    dest="changes",
)
ENGINE = Option(
    "--engine",
    "virtual: virtual time (the default); live: real sockets, real time; model: counts "
    "alone, many times faster",
    default="virtual",
    metavar="E",
)
_REAL = (
    "envoy, nginx or haproxy in the place of our proxy (labkit, the default); a list "
    "names one for each proxy of the chain"
)
PROXY = Option("--proxy", _REAL, default="labkit", metavar="P[,P]")
REQUESTS = Option(
    "--requests",
    "so many requests instead of the scenario's",
    type=whole,
    metavar="N",
)
SEED = Option("--seed", "another chance than the scenario's", type=whole, metavar="N")
GAPS_FROM = Option(
    "--gaps-from",
    "take gaps and methods from an access log of Envoy, nginx or ALB, packed by gzip "
    "or not (labkit scenarios names four to try)",
    metavar="LOG",
)
UPSTREAM = Option("--upstream", "of LOG only what went there", metavar="HOST:PORT")
JSON = Option("--json", "print one JSON object", action="store_true")
YES = Option(
    "--yes", "begin what takes more than ten minutes in real time", action="store_true"
)
PLOT = Option("--plot", "draw it (.svg or .png)", metavar="FILE.svg")

# -- verbs ----------------------------------------------------------------------------

VERBS = (
    Verb(
        "start",
        start,
        "open the course in JupyterLab, in a copy of your own",
        "What is there is never overwritten. Words behind -- go to JupyterLab.",
        (
            "labkit start",
            "labkit start 03",
            "labkit start ~/courses/http 03 --no-browser --port 8899",
            "labkit start --fresh 03",
            "labkit start -- --ip=0.0.0.0",
        ),
        (
            Option(
                "what",
                "where your copy lies or shall lie (~/labkit-course), and the number "
                "of a notebook to open",
                nargs="*",
                metavar="FOLDER|NN",
            ),
            Option(
                "--fresh",
                "bring this notebook back as it was shipped; yours is kept beside it",
                metavar="NN",
            ),
            Option(
                "--no-browser",
                "print the address, open nothing",
                action="store_true",
            ),
            Option(
                "--port",
                "of JupyterLab; the next free one if not given",
                type=whole,
                metavar="N",
            ),
        ),
    ),
    Verb(
        "run",
        run,
        "run a scenario and print what came of it",
        "In virtual time hours of traffic take seconds, on real sockets hours.",
        (
            "labkit run safe",
            "labkit run mistuned-upstream --set hop.1.pool.idle_timeout=4",
            "labkit run mistuned-upstream --engine live --requests 20 "
            "--set traffic.rate=2",
            "labkit run mistuned-upstream --requests 9 --plot run.svg",
        ),
        (
            *(FILE, ENGINE, PROXY(f"with --engine live: {_REAL}"), REQUESTS, SEED),
            *(SET, GAPS_FROM, UPSTREAM, JSON, YES),
            Option(
                "--show-config",
                "print what the real proxies would be configured with, run nothing",
                action="store_true",
            ),
            Option("--trace", "write every segment", metavar="FILE.jsonl"),
            PLOT("draw the sequence diagram (.svg or .png)"),
        ),
    ),
    Verb(
        "serve",
        serve,
        "leave the chain running for clients of your own",
        "It listens on 127.0.0.1 and prints one line per request; Ctrl-C ends it.",
        (
            "labkit serve mistuned-upstream --port 8080",
            "labkit serve mistuned-upstream --proxy envoy --log-format json",
        ),
        (
            *(FILE, PROXY, SET),
            Option(
                "--port",
                "of the first server; a free one if not given",
                type=whole,
                default=0,
                metavar="N",
            ),
            Option(
                "--log-format",
                "text (the default), or json under the names of Envoy's access log",
                default="text",
                metavar="text|json",
            ),
        ),
    ),
    Verb(
        "sweep",
        sweep,
        "run a scenario at every point of a grid",
        "Ctrl-C prints what is done.",
        (
            "labkit sweep mistuned-upstream --vary hop.1.pool.idle_timeout=1:10:19",
            "labkit sweep safe --vary traffic.rate=0.1:10:9log --engine model "
            "--plot rate.svg",
            "labkit sweep safe --vary hop.1.server.idle_timeout=5,60,inf --csv t.csv",
        ),
        (
            FILE,
            Option(
                "--vary",
                "START:STOP:STEPS (both ends included), START:STOP:STEPSlog, or 1,2,5"
                + _MANY,
                action="append",
                default=[],
                metavar="PATH=VALUES",
            ),
            *(ENGINE, PROXY(f"with --engine live: {_REAL}")),
            (
                Option(
                    "--workers", "processes here; one per core", type=whole, metavar="N"
                ),
                Option("--dask", "of a Dask scheduler", metavar="ADDRESS"),
            ),
            REQUESTS("so many requests at each point instead of the scenario's"),
            *(SEED, SET, JSON, YES),
            Option("--csv", "write the table", metavar="FILE.csv"),
            Option("--parquet", "write the table", metavar="FILE.parquet"),
            Option(
                "--resume",
                "keep finished points here and go on with them",
                metavar="FILE",
            ),
            PLOT("draw the error rate (.svg or .png)"),
        ),
    ),
    Verb(
        "compare",
        compare,
        "compare theory, model, virtual, live and Envoy",
        "All of them are asked for the share of failed requests.",
        (
            "labkit compare upstream-race --engines theory,model,virtual",
            "labkit compare upstream-race --plot compare.svg",
        ),
        (
            FILE,
            Option(
                "--engines",
                "which of theory,model,virtual,live,envoy; all if not given",
                metavar="E[,E]",
            ),
            REQUESTS("live and with Envoy (3000)"),
            *(SET, GAPS_FROM, UPSTREAM, JSON, YES),
            PLOT("draw all columns (.svg or .png)"),
        ),
    ),
    Verb(
        "explain",
        explain,
        "say what an error string means",
        "Exit status 1 if the words are unknown.",
        (
            "labkit explain '503 UC upstream_reset_before_response_started'",
            'labkit explain "$(tail -n 20 error.log)"',
        ),
        (
            Option(
                "text",
                "an error, a line of a log, or a paste",
                nargs="+",
                metavar="TEXT",
            ),
            JSON,
        ),
    ),
    Verb(
        "scenarios",
        scenarios,
        "list the scenarios that come with the lab",
        "Their names do for FILE in every verb.",
        ("labkit scenarios", "labkit run safe"),
    ),
    Verb(
        "settings",
        settings,
        "explain every knob: default, range, unit",
        "hop.0 is the first hop; N stands for any number.",
        (
            "labkit settings",
            "labkit settings pool",
            "labkit settings hop.1.server.idle_timeout",
        ),
        (
            Option(
                "path",
                "a knob, or a group of them",
                nargs="?",
                default="",
                metavar="PATH",
            ),
        ),
    ),
    Verb(
        "copy",
        copy,
        "copy a scenario or access log that comes with the lab, to change it",
        "Nothing is overwritten.",
        (
            "labkit copy safe",
            "labkit copy safe mine.toml",
            "labkit copy envoy-text.log logs/",
        ),
        (
            Option("name", "as labkit scenarios lists them", metavar="NAME"),
            Option(
                "to", "a file, or a folder (here)", nargs="?", default=".", metavar="TO"
            ),
        ),
    ),
)

_FIRST_STEPS = """\
first steps:
  labkit start                          the course, in JupyterLab
  labkit scenarios                      what there is to run
  labkit run mistuned-upstream          one of them
  labkit explain '503 UC'               what an error means
  labkit run --help                     the options of a verb, with examples
"""


def parser() -> Parser:
    """The whole command line."""
    made = Parser(
        prog="labkit",
        description="See what HTTP/1.1 connections do behind a proxy.",
        epilog=_FIRST_STEPS,
    )
    made.add_argument("--version", action="version", version=f"labkit {__version__}")
    verbs = made.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    for verb in VERBS:
        verb.add_to(verbs)
    return made
