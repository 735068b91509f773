"""The words on the arrows: as few as tell the story, and where they hide least."""

from __future__ import annotations

from labkit.figures.diagrams import arrow_words, headline
from labkit.figures.diagrams.attribution import (
    NOBODY,
    Fate,
    Message,
    is_answer,
    is_end,
    status,
)
from labkit.figures.diagrams.layout import Layout
from labkit.figures.diagrams.selection import goodbye_words, is_eventful
from labkit.figures.paper import metrics
from labkit.figures.paper.sheet import Sheet
from labkit.figures.paper.style import FAILURE, LABEL, STROKES, Stroke
from labkit.records.trace import Direction, Kind


def stroke_of(message: Message) -> Stroke:
    """How a message is drawn: by its kind, unless it failed."""
    if message.fate in (Fate.DIED, Fate.UNANSWERED, Fate.FAILURE):
        return FAILURE
    return STROKES[message.event.kind]


def by_importance(page: Layout) -> list[int]:
    """The rows of the messages, those first whose words must find room."""
    messages = page.selection.messages
    return sorted(range(len(messages)), key=lambda row: (_rank(messages[row]), row))


def _rank(message: Message) -> int:
    if message.fate is not Fate.FINE:
        return 0
    return 1 if is_end(message.event) else 2


def label(sheet: Sheet, page: Layout, row: int) -> None:
    """Write on one arrow, if there is something to say and room to say it."""
    message = page.selection.messages[row]
    hop, stroke = message.event.hop, stroke_of(message)
    others = [
        shaft
        for other, (beside, shaft) in enumerate(page.arrows())
        if other != row and beside.event.hop == hop
    ]
    arrow_words.write(
        sheet,
        _words(page, message),
        page.shafts[row],
        others,
        stroke.ink,
        "bold" if stroke is FAILURE else "normal",
        page.hop_width(hop) * 0.75,
    )


def _words(page: Layout, message: Message) -> list[str]:
    """What may stand on an arrow, the fullest first; nothing where it says enough."""
    event = message.event
    if message.fate is Fate.LOST:
        return [f"{event.kind} lost", "lost"]
    if event.kind is Kind.SYN:
        return ["SYN"] if event.direction is Direction.UPSTREAM else []
    if is_end(event):
        return _goodbye(page, message)
    if not _is_labelled(page, message):
        return []
    if message.is_request:
        line = event.first_line.rsplit(" ", 1)[0]
        return [line, metrics.shortened(line, 24.0, LABEL), line.split(" ")[0]]
    return _answer(page, message) if is_answer(event) else []


def _goodbye(page: Layout, message: Message) -> list[str]:
    """The first goodbye of a connection says why; a FIN in reply is no news."""
    event = message.event
    lane = (event.hop, event.connection)
    ends = (m for m in page.selection.messages if is_end(m.event))
    first = next(m for m in ends if (m.event.hop, m.event.connection) == lane)
    if message is first:
        return goodbye_words(page.run, event)
    return ["RST"] if event.kind is Kind.RST else []


def _is_labelled(page: Layout, message: Message) -> bool:
    """Beyond the first hop an uneventful exchange repeats what hop 0 says."""
    if message.event.hop == 0 or message.exchange == NOBODY:
        return True
    exchange = page.exchanges[message.exchange]
    return is_eventful(exchange) or message.exchange == page.selection.kept[0]


def _answer(page: Layout, message: Message) -> list[str]:
    code = status(message.event)
    if message.event.hop == 0 and message.exchange != NOBODY:
        exchange = page.exchanges[message.exchange]
        if str(exchange.status) == code:
            return [headline.outcome(exchange), code]
    return [code]
