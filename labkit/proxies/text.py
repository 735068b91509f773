"""What to type into a program's configuration to get a scenario's proxy."""

from __future__ import annotations

from labkit.proxies.checks import chosen
from labkit.proxies.program import Place
from labkit.proxies.programs import OURS, PROGRAMS
from labkit.settings import Scenario, SettingsError

# Where the text lets proxies listen: one port per hop, the origin's the last.
FIRST_PORT = 10_000
FOLDER = "/tmp"


def configuration(scenario: Scenario, proxy: str) -> str:
    """The configuration of the real proxies of a chain, as it would be started.

    ``proxy`` as in :func:`labkit.run`. The proxy after hop h listens on port
    10000 + h and forwards to 10001 + h. Several proxies give several files, each
    under a comment. SettingsError for what a program cannot express.
    """
    names = chosen(proxy, scenario, "live")
    real = [(hop, name) for hop, name in enumerate(names) if name != OURS]
    if not real:
        raise SettingsError(f"proxy is {proxy!r}; allowed here: {', '.join(PROGRAMS)}")
    texts = [_text(scenario, hop, name) for hop, name in real]
    if len(texts) == 1:
        return texts[0][1]
    return "\n".join(f"# {title}\n{text}" for title, text in texts)


def _text(scenario: Scenario, hop: int, name: str) -> tuple[str, str]:
    place = Place(
        0,
        FIRST_PORT + hop,
        FIRST_PORT + hop + 1,
        scenario.hops[hop].server,
        scenario.hops[hop + 1].pool,
    )
    title = f"{scenario.parties[hop + 1]}: {name} between hop {hop} and hop {hop + 1}"
    return title, PROGRAMS[name].configuration([place], FOLDER)
