"""The parser of the command line: complaints in one line, whole options, examples."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from labkit.settings.validators import shown

BAD_INPUT = 2


class Option:
    """An option or a word of a verb, as ``add_argument`` takes it."""

    def __init__(self, name: str, help: str, **rest: Any) -> None:  # noqa: A002
        self.name, self.rest = name, {"help": help, **rest}

    def __call__(self, help: str) -> Option:  # noqa: A002
        """The same with other words, where a verb means something else by it."""
        return Option(self.name, **{**self.rest, "help": help})


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line; a tuple among its options excludes each other."""

    name: str
    carry_out: Callable[[argparse.Namespace], int]
    purpose: str
    more: str
    examples: Sequence[str]
    options: Sequence[Option | tuple[Option, ...]] = ()

    def add_to(self, verbs: argparse._SubParsersAction[Parser]) -> None:
        """Make its parser, and its help."""
        made = verbs.add_parser(
            self.name,
            help=self.purpose,
            description=f"{self.purpose[0].upper()}{self.purpose[1:]}. {self.more}",
            epilog="\n  ".join(("examples:", *self.examples)),
        )
        made.set_defaults(verb=self.carry_out, parser=made)
        for each in self.options:
            if isinstance(each, Option):
                made.add_argument(each.name, **each.rest)
                continue
            group = made.add_mutually_exclusive_group()
            for one in each:
                group.add_argument(one.name, **one.rest)


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


def whole(word: str) -> int:
    """A whole number as an option has it."""
    try:
        return int(word)
    except ValueError:  # no digits, or thousands of them
        told = f"{shown(word)} is no whole number"
        raise argparse.ArgumentTypeError(told) from None
