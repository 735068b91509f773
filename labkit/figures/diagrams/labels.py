"""The words on the arrows: as few as tell the story, and where they hide least."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.figures.diagrams import headline
from labkit.figures.diagrams.arrows import along, crosses
from labkit.figures.diagrams.attribution import (
    NOBODY,
    Fate,
    Message,
    is_answer,
    is_end,
    status,
)
from labkit.figures.diagrams.layout import Page
from labkit.figures.diagrams.selection import goodbye_words, is_eventful
from labkit.figures.paper import metrics
from labkit.figures.paper.sheet import Point, Sheet, Word
from labkit.figures.paper.style import FAILURE, LABEL, PAPER, STROKES, Stroke
from labkit.records.trace import Direction, Kind


def stroke_of(message: Message) -> Stroke:
    """How a message is drawn: by its kind, unless it failed."""
    if message.fate in (Fate.DIED, Fate.UNANSWERED, Fate.FAILURE):
        return FAILURE
    return STROKES[message.event.kind]


def by_importance(page: Page) -> list[int]:
    """The rows of the messages, those first whose words must find room."""
    messages = page.story.messages
    return sorted(range(len(messages)), key=lambda row: (_rank(messages[row]), row))


def _rank(message: Message) -> int:
    if message.fate is not Fate.FINE:
        return 0
    return 1 if is_end(message.event) else 2


def label(sheet: Sheet, page: Page, row: int) -> None:
    """Write on one arrow, if there is something to say and room to say it."""
    message = page.story.messages[row]
    stroke = stroke_of(message)
    weight = "bold" if stroke is FAILURE else "normal"
    room = page.hop_width(message.event.hop) * 0.75
    for text in _words(page, message):
        if metrics.width(text, LABEL, weight) > room:
            continue
        spots = list(_spots(text, *page.shafts[row], weight, stroke.ink))
        costs = {w: _hidden(page, row, w) + i * 0.4 for i, w in enumerate(spots)}
        word = sheet.write_first(sorted(spots, key=costs.__getitem__))
        if word is not None:
            sheet.mask(word, PAPER)
            return


def _spots(text: str, tail: Point, tip: Point, weight: str, ink: str) -> Iterator[Word]:
    """Near the sender first: there the words of the two directions never meet."""
    half = metrics.width(text, LABEL, weight) / 2.0 + 3.5
    length = abs(tip[0] - tail[0]) or 1.0
    nearest = max(0.27, half / length + 0.06)
    for share in (nearest, nearest + 0.07, 0.5, 0.6, 0.7, 0.2):
        x, y = along(tail, tip, share)
        if half / length <= share <= 1.0 - half / length:
            yield Word(text, x, y, "center", LABEL, weight, ink)


def _hidden(page: Page, row: int, word: Word) -> int:
    """How many other arrows would be cut by the ground behind this word."""
    box = word.box()
    hop = page.story.messages[row].event.hop
    return sum(
        tail[1] < box.bottom
        and box.top < tip[1]
        and other != row
        and page.story.messages[other].event.hop == hop
        and crosses((tail, tip), box)
        for other, (tail, tip) in enumerate(page.shafts)
    )


def _words(page: Page, message: Message) -> list[str]:
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


def _goodbye(page: Page, message: Message) -> list[str]:
    """The first goodbye of a connection says why; a FIN in reply is no news."""
    event = message.event
    lane = (event.hop, event.connection)
    ends = (m for m in page.story.messages if is_end(m.event))
    first = next(m for m in ends if (m.event.hop, m.event.connection) == lane)
    if message is first:
        return goodbye_words(page.run, event)
    return ["RST"] if event.kind is Kind.RST else []


def _is_labelled(page: Page, message: Message) -> bool:
    """Beyond the first hop an uneventful exchange repeats what hop 0 says."""
    if message.event.hop == 0 or message.exchange == NOBODY:
        return True
    exchange = page.exchanges[message.exchange]
    return is_eventful(exchange) or message.exchange == page.story.kept[0]


def _answer(page: Page, message: Message) -> list[str]:
    code = status(message.event)
    if message.event.hop == 0 and message.exchange != NOBODY:
        exchange = page.exchanges[message.exchange]
        if str(exchange.status) == code:
            return [headline.outcome(exchange), code]
    return [code]
