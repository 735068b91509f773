"""The parser of the command line: complaints in one line, options that verbs share."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from labkit.settings.validators import shown

BAD_INPUT = 2

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction["Parser"]


def whole(word: str) -> int:
    """A whole number as an option has it."""
    try:
        return int(word)
    except ValueError:  # no digits, or thousands of them
        told = f"{shown(word)} is no whole number"
        raise argparse.ArgumentTypeError(told) from None


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line; it takes no half options."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"labkit: {message} (see {self.prog} --help)\n")
        raise SystemExit(BAD_INPUT)


def unknown(word: str, parser: Parser) -> str:
    """What to say of a word that a verb does not know; it names the nearest option."""
    name, _, _ = word.partition("=")
    options = re.findall(r"--[a-z-]+", parser.format_usage())
    near = difflib.get_close_matches(name, options, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"unknown argument {shown(word)}{meant} (see {parser.prog} --help)"


def add_verb(
    verbs: Verbs,
    name: str,
    verb: Callable[[argparse.Namespace], int],
    purpose: str,
    more: str,
    examples: str,
) -> Parser:
    """A verb with its help: purpose, what there is to know, examples."""
    lines = "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    made: Parser = verbs.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}. {more}".rstrip(),
        epilog=f"examples:\n{lines}",
    )
    made.set_defaults(verb=verb, parser=made)
    return made


# -- options that several verbs have --------------------------------------------------


def add_file(verb: Parser) -> None:
    """The scenario; labkit.resources reads it."""
    verb.add_argument(
        "file",
        metavar="FILE",
        help="a scenario in TOML, or the name of one that comes with the lab "
        "(labkit scenarios)",
    )


def add_changes(verb: Parser) -> None:
    """``--set``, in any number."""
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="changes",
        help="turn a knob (labkit settings lists them); VALUE is TOML, words in "
        "quotes; may be given many times",
    )


def add_engine(verb: Parser) -> None:
    """Who answers, and with which proxies."""
    verb.add_argument(
        "--engine",
        default="virtual",
        metavar="E",
        help="virtual: virtual time (the default); live: real sockets, real time; "
        "model: counts alone, many times faster",
    )
    add_proxy(verb, "with --engine live: ")


def add_proxy(verb: Parser, where: str = "") -> None:
    """Real programs in the place of our proxy."""
    verb.add_argument(
        "--proxy",
        default="labkit",
        metavar="P[,P]",
        help=f"{where}envoy, nginx or haproxy in the place of our proxy (labkit, the "
        "default); a list names one for each proxy of the chain",
    )


def add_size(verb: Parser, where: str = "") -> None:
    """How long, and by which chance."""
    verb.add_argument(
        "--requests",
        type=whole,
        metavar="N",
        help=f"so many requests{where} instead of the scenario's",
    )
    verb.add_argument(
        "--seed", type=whole, metavar="N", help="another chance than the scenario's"
    )


def add_json(verb: Parser) -> None:
    """For programs."""
    verb.add_argument("--json", action="store_true", help="print one JSON object")


def add_yes(verb: Parser) -> None:
    """For what takes long."""
    verb.add_argument(
        "--yes",
        action="store_true",
        help="begin what takes more than ten minutes in real time",
    )


def add_log(verb: Parser) -> None:
    """Traffic from an access log; labkit.cli.scenario reads it."""
    verb.add_argument(
        "--gaps-from",
        metavar="LOG",
        help="take gaps and methods from an access log of Envoy, nginx or ALB, packed "
        "by gzip or not (labkit scenarios names four to try)",
    )
    verb.add_argument(
        "--upstream", metavar="HOST:PORT", help="of LOG only what went there"
    )
