"""``labkit``: reads the words, calls the verb, turns bad input into one sentence.

Exit status: 0 done, 1 for a text that ``explain`` does not know, 2 bad input (one line
on stderr, nothing on stdout), 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from labkit.cli.parser import BAD_INPUT, unknown
from labkit.cli.verbs import parser

DONE = 0

# What verbs were called before.
_FORMER = {"ladder": "compare"}


def carry_out(words: Sequence[str]) -> int:
    """Carry out one command line; returns the exit status."""
    if not words:
        parser().print_help()
        return DONE
    if words[0] in _FORMER:
        return complain(f"labkit {words[0]} is called labkit {_FORMER[words[0]]} now")
    own, passed_on = _split(words)
    arguments, rest = parser().parse_known_args(own)
    if rest:
        return complain(unknown(rest[0], arguments.parser))
    arguments.words, arguments.passed_on = words, passed_on
    return _guarded(arguments)


def _split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The words of ``labkit start``, and behind ``--`` those for JupyterLab."""
    if words[0] != "start" or "--" not in words:
        return words, ()
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _guarded(arguments: Namespace) -> int:
    from labkit.settings import SettingsError

    try:
        status: int = arguments.verb(arguments)
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except OSError as error:
        return complain(_of_the_system(error))
    except RuntimeError as error:
        if not type(error).__module__.startswith("labkit."):
            raise
        return complain(str(error))
    except SettingsError as error:
        return complain(str(error))
    return status


def _of_the_system(error: OSError) -> str:
    """What the system said, with the file that it speaks of where it names one."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"


def complain(sentence: str) -> int:
    """Say what is wrong on one line of stderr; returns the exit status."""
    sys.stderr.write(f"labkit: {' '.join(sentence.split())}\n")
    return BAD_INPUT
