"""``labkit``: reads the words, calls the verb, turns bad input into one sentence.

Exit status: 0 done, 2 bad input (one line on stderr, nothing on stdout), 130
after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from labkit import __version__

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction["_Parser"]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"labkit: {message} (see {self.prog} --help)\n")
        raise SystemExit(BAD_INPUT)


def main(words: Sequence[str] | None = None) -> int:
    """Carry out one command line; returns the exit status."""
    arguments, rest = _parser().parse_known_args(words)
    if rest and not arguments.takes_rest:
        complaint = f"unknown argument {rest[0]!r} (see labkit --help)"
        sys.stderr.write(f"labkit: {complaint}\n")
        return BAD_INPUT
    arguments.rest = rest
    arguments.words = list(sys.argv[1:] if words is None else words)
    return _guarded(arguments.verb, arguments)


def _guarded(
    verb: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    from labkit.clock import Deadlock, HorizonPassed
    from labkit.field.trouble import FieldError
    from labkit.settings import SettingsError

    try:
        return verb(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("labkit: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except OSError as error:
        return _complain(error.strerror or str(error))
    except (SettingsError, HorizonPassed, Deadlock, FieldError) as error:
        return _complain(str(error))


def _complain(sentence: str) -> int:
    sys.stderr.write(f"labkit: {' '.join(sentence.split())}\n")
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="labkit",
        description="See what HTTP/1.1 connections do behind a proxy.",
    )
    parser.add_argument("--version", action="version", version=f"labkit {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)
    _add_start(verbs)
    _add_run(verbs)
    _add_serve(verbs)
    _add_sweep(verbs)
    _add_ladder(verbs)
    _add_explain(verbs)
    return parser


def _add_start(verbs: Verbs) -> None:
    from labkit.cli.start import start

    verb = verbs.add_parser("start", help="open JupyterLab at the first notebook")
    verb.set_defaults(verb=start, takes_rest=True)


def _add_run(verbs: Verbs) -> None:
    from labkit.cli.run import run

    verb = verbs.add_parser("run", help="run a scenario and print what came of it")
    verb.add_argument("file", metavar="FILE.toml")
    verb.add_argument("--engine", default="virtual")
    verb.add_argument(
        "--proxy",
        default="labkit",
        metavar="P[,P]",
        help="labkit, or with --engine live: envoy, nginx, haproxy",
    )
    verb.add_argument(
        "--show-config",
        action="store_true",
        help="print what the real proxies would be configured with, run nothing",
    )
    verb.add_argument("--requests", type=int, metavar="N")
    verb.add_argument("--seed", type=int, metavar="N")
    verb.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="changes"
    )
    _add_log(verb)
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--trace", metavar="FILE.jsonl", help="write every segment")
    verb.add_argument("--plot", metavar="FILE.svg", help="draw the sequence diagram")
    verb.set_defaults(verb=run, takes_rest=False)


def _add_log(verb: _Parser) -> None:
    """Traffic from an access log; labkit.cli.scenario reads it."""
    verb.add_argument(
        "--gaps-from",
        metavar="LOG",
        help="take gaps and methods from an access log of Envoy, nginx or ALB",
    )
    verb.add_argument(
        "--upstream", metavar="HOST:PORT", help="of LOG only what went there"
    )


def _add_serve(verbs: Verbs) -> None:
    from labkit.cli.serve import serve

    verb = verbs.add_parser("serve", help="leave the live chain running")
    verb.add_argument("file", metavar="FILE.toml")
    verb.add_argument("--proxy", default="labkit", metavar="P[,P]")
    verb.add_argument("--port", type=int, default=0, metavar="N")
    verb.add_argument("--log-format", default="text", metavar="text|json")
    verb.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="changes"
    )
    verb.set_defaults(verb=serve, takes_rest=False)


def _add_sweep(verbs: Verbs) -> None:
    from labkit.cli.sweep import sweep

    verb = verbs.add_parser("sweep", help="run a scenario at every point of a grid")
    verb.add_argument("file", metavar="FILE.toml")
    verb.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="PATH=VALUES",
        help="START:STOP:STEPS (both ends included), START:STOP:STEPSlog, or 1,2,5",
    )
    verb.add_argument("--engine", default="virtual")
    verb.add_argument("--proxy", default="labkit", metavar="P[,P]")
    crew = verb.add_mutually_exclusive_group()
    crew.add_argument("--workers", type=int, metavar="N", help="processes here")
    crew.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler")
    verb.add_argument("--requests", type=int, metavar="N", help="at each point")
    verb.add_argument("--seed", type=int, metavar="N")
    verb.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="changes"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--csv", metavar="FILE.csv", help="write the table")
    verb.add_argument("--parquet", metavar="FILE.parquet", help="write the table")
    verb.add_argument(
        "--resume", metavar="FILE", help="keep finished points here and go on with them"
    )
    verb.add_argument("--plot", metavar="FILE.svg", help="draw the error rate")
    verb.set_defaults(verb=sweep, takes_rest=False)


def _add_ladder(verbs: Verbs) -> None:
    from labkit.cli.ladder import ladder

    verb = verbs.add_parser(
        "ladder", help="compare theory, model, virtual, live and Envoy"
    )
    verb.add_argument("file", metavar="FILE.toml")
    verb.add_argument(
        "--engines",
        metavar="E[,E]",
        help="which of theory,model,virtual,live,envoy; all if not given",
    )
    verb.add_argument("--requests", type=int, metavar="N", help="live and with Envoy")
    verb.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="changes"
    )
    _add_log(verb)
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--plot", metavar="FILE.svg", help="draw all columns")
    verb.set_defaults(verb=ladder, takes_rest=False)


def _add_explain(verbs: Verbs) -> None:
    from labkit.cli.explain import explain

    verb = verbs.add_parser("explain", help="say what an error string means")
    verb.add_argument("text", nargs="+", metavar="TEXT")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(verb=explain, takes_rest=False)
