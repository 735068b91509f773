"""A scenario file and the changes that the command line makes to it."""

from __future__ import annotations

import sys
from argparse import Namespace

from labkit import resources
from labkit.settings import Scenario, SettingsError, toml
from labkit.settings.validators import one_line, shown


def read(arguments: Namespace) -> Scenario:
    """The scenario of FILE with every ``--set``; of two for one path the later.

    The traffic of ``--gaps-from`` comes first: a ``--set`` may change it.
    """
    scenario = resources.scenario(arguments.file)
    scenario = scenario.replace_all(_logged(arguments))
    return scenario.replace_all(dict(map(_parse, arguments.changes)))


def read_sized(arguments: Namespace) -> Scenario:
    """The same with ``--requests`` and ``--seed``."""
    scenario = read(arguments)
    if arguments.requests is not None:
        scenario = scenario.replace("traffic.requests", arguments.requests)
    if arguments.seed is not None:
        scenario = scenario.replace("seed", arguments.seed)
    return scenario


def _logged(arguments: Namespace) -> dict[str, object]:
    """Traffic as an access log has it; what is uncertain about it goes to stderr."""
    from labkit import accesslogs

    path = getattr(arguments, "gaps_from", None)
    upstream = getattr(arguments, "upstream", None)
    if path is None:
        if upstream is not None:
            raise SettingsError(f"--upstream {upstream}: allowed with --gaps-from LOG")
        return {}
    log = accesslogs.read(resources.access_logs().get(path, path))
    if upstream is not None:
        log = log.only(upstream=upstream)
    traffic = log.traffic()
    for note in log.notes:
        print(f"labkit: {log.name}: {note}", file=sys.stderr)
    names = ("arrivals", "gaps", "requests", "methods")
    told = {f"traffic.{name}": getattr(traffic, name) for name in names}
    return {**told, "traffic.burst": 1}


def _parse(change: str) -> tuple[str, object]:
    path, equals, text = change.partition("=")
    if not equals:
        raise SettingsError(f"--set {shown(change)}: expected PATH=VALUE")
    try:
        return path.strip(), toml.value(text)
    except SettingsError as error:
        what = f"--set {one_line(path, 60)}"
        raise SettingsError(f"{what}: {_told(path, text, error)}") from None


def _told(path: str, text: str, error: SettingsError) -> str:
    """What is wrong with a value; a bare word is what people write first."""
    if not text.isalpha():
        return str(error)
    return f"{text!r} is not a TOML value; a word needs quotes: {path}='\"{text}\"'"
