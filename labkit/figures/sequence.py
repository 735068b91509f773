"""The sequence diagram: one lifeline per party, time down the paper, slanted arrows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes

from labkit.figures import draw, headline, textsize
from labkit.figures.arrows import along, cross, head, shaft
from labkit.figures.owners import (
    NOBODY,
    Fate,
    Message,
    is_answer,
    is_end,
    is_request,
    status,
)
from labkit.figures.record import RunLike
from labkit.figures.sheet import GROUND, LINES, MASKS, SHADE, Area, Line, Point, Sheet, Word
from labkit.figures.story import Story, goodbye_words, is_eventful, tell
from labkit.figures.style import (
    BAND,
    BLUE,
    BOX,
    FAILED,
    FAILED_INK,
    FAILURE,
    INK,
    LABEL,
    LIFELINE,
    MUTED,
    NAME,
    PAPER,
    STROKES,
    TITLE,
    WINDOW,
    WINDOW_EDGE,
    Stroke,
)
from labkit.figures.timeline import Break, Placed, place
from labkit.theory import duration
from labkit.wire import Direction, Kind

WIDTH = 178.0
TALLEST = 205.0
# A page that is given and too small is drawn smaller; see _fitting.
LOWEST = 70.0

_GUTTER = 22.0  # right edge of the words left of the time axis
_AXIS = 24.5
_BADGES = 32.0
_FIRST = 38.0  # the first lifeline
_HEADER = 17.5  # top of the parties' boxes
_START = 31.0  # the first instant
_LEGEND = 13.0  # paper for the legend
_BOX_HEIGHT = 7.0
_INSET = 1.8  # a band is this much shorter than its break, at both ends


@dataclass(frozen=True, slots=True)
class _Page:
    """Where the columns are, and the story that they show."""

    run: RunLike
    story: Story
    placed: Placed
    columns: tuple[float, ...]
    width: float

    @property
    def height(self) -> float:
        return _START + self.placed.bottom + 6.0 + _LEGEND

    @property
    def end(self) -> float:
        """Where the lifelines end."""
        return _START + self.placed.bottom + 4.0

    def tail(self, row: int) -> Point:
        """Where the arrow of this message starts."""
        event = self.story.messages[row].event
        side = 0 if event.direction is Direction.UPSTREAM else 1
        return self.columns[event.hop + side], _START + self.placed.sent[row]

    def tip(self, row: int) -> Point:
        """Where it ends; a lost segment ends in the air."""
        message = self.story.messages[row]
        side = 1 if message.event.direction is Direction.UPSTREAM else 0
        x = self.columns[message.event.hop + side]
        end = (x, _START + self.placed.arrived[row])
        return along(self.tail(row), end, 0.6) if message.fate is Fate.LOST else end

    def hop_width(self, hop: int) -> float:
        return self.columns[hop + 1] - self.columns[hop]


def sequence(
    run: RunLike,
    ax: Axes | None = None,
    *,
    window: bool = True,
    first: int | None = None,
    last: int | None = None,
    focus: int | None = None,
) -> Axes:
    """Draw who sent what to whom, and when.

    Without ``ax`` the figure is as tall as the story needs; axes that are given
    keep their size, and more requests are summed up until the story fits.
    ``window`` shades the spans in which a request would be lost. ``first``,
    ``last`` and ``focus`` count requests from 1: the range to tell, and the one
    that it is about (the first that failed).
    """
    if ax is None:
        page = _page(run, WIDTH, TALLEST, first, last, focus)
        ax = draw.paper(WIDTH, page.height)
    else:
        wide, high = draw.size_of(ax)
        page = _page(run, max(wide, 120.0), max(high, LOWEST), first, last, focus)
        page = page if page.height > high else _stretched(page, high)
    return draw.put(layout(page, window), ax)


def _page(
    run: RunLike,
    width: float,
    height: float,
    first: int | None,
    last: int | None,
    focus: int | None,
) -> _Page:
    """The fullest story that fits on the paper."""
    page = None
    for budget in (8, 6, 5, 4, 3, 2, 1):
        story = tell(run, budget, first, last, focus)
        if page is not None and story.kept == page.story.kept:
            continue
        page = _compose(run, story, width)
        if page.height <= height:
            break
    assert page is not None
    return page


def _stretched(page: _Page, height: float) -> _Page:
    return page


def _compose(run: RunLike, story: Story, width: float) -> _Page:
    delays = [hop.link.delay for hop in run.scenario.hops]
    placed = place(story.messages, story.omitted, story.races, delays)
    return _Page(run, story, placed, _columns(run, width), width)


def _columns(run: RunLike, width: float) -> tuple[float, ...]:
    hops = len(run.scenario.hops)
    last = width - 14.0
    return tuple(_FIRST + (last - _FIRST) * i / hops for i in range(hops + 1))


# -- the layout, as data --------------------------------------------------------------


def layout(page: _Page, window: bool = True) -> Sheet:
    """Everything on its place: important words first, they get the room."""
    sheet = Sheet(page.width, page.height)
    _headline(sheet, page)
    _header(sheet, page)
    _bands(sheet, page)
    _lifelines(sheet, page)
    if window:
        _windows(sheet, page)
    for row in _by_importance(page):
        _arrow(sheet, page, row)
    _badges(sheet, page)
    _times(sheet, page)
    _legend(sheet, page, window)
    return sheet


def _headline(sheet: Sheet, page: _Page) -> None:
    room = page.width - 8.0
    title = headline.title(page.run, page.story)
    hero = page.story.hero
    failed = hero != NOBODY and page.run.exchanges[hero].failed
    ink = FAILED_INK if failed else INK
    text = textsize.shortened(title, room, TITLE, "bold")
    sheet.write(Word(text, 4.0, 5.0, "left", TITLE, "bold", ink))
    parts = headline.facts(page.run, page.story)
    while len(parts) > 1 and textsize.width(" · ".join(parts), LABEL) > room:
        parts.pop()
    text = textsize.shortened(" · ".join(parts), room, LABEL)
    sheet.write(Word(text, 4.0, 11.0, "left", LABEL, ink=MUTED))


def _header(sheet: Sheet, page: _Page) -> None:
    names = page.run.scenario.parties
    room = min(34.0, page.hop_width(0) - 4.0)
    for x, name in zip(page.columns, names, strict=True):
        limit = min(room, 2.0 * (page.width - x) - 2.0)
        text = textsize.shortened(name, limit - 4.0, NAME, "bold")
        half = max(textsize.width(text, NAME, "bold") / 2.0 + 2.0, 9.0)
        sheet.areas.append(_rectangle(x, half))
        middle = _HEADER + _BOX_HEIGHT / 2.0
        sheet.write(Word(text, x, middle, "center", NAME, "bold"))
    for hop, settings in enumerate(page.run.scenario.hops):
        _delay(sheet, page, hop, settings.link.delay)


def _rectangle(x: float, half: float) -> Area:
    top, bottom = _HEADER, _HEADER + _BOX_HEIGHT
    corners = ((x - half, top), (x + half, top), (x + half, bottom), (x - half, bottom))
    return Area(corners, BOX, LIFELINE, 0.8)


def _delay(sheet: Sheet, page: _Page, hop: int, delay: float) -> None:
    middle = (page.columns[hop] + page.columns[hop + 1]) / 2.0
    y = _HEADER + _BOX_HEIGHT / 2.0
    words = (f"{duration(delay)} each way", duration(delay)) if delay else ("no delay",)
    sheet.write_first(Word(text, middle, y, ink=MUTED) for text in words)


def _bands(sheet: Sheet, page: _Page) -> None:
    for cut in page.placed.breaks:
        top, bottom = _band(cut)
        left, right = _AXIS - 2.0, page.columns[-1] + 10.0
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        sheet.areas.append(Area(corners, BAND, layer=GROUND))
        if cut.omitted is not None:
            middle = (page.columns[0] + page.columns[-1]) / 2.0
            ink = FAILED_INK if cut.omitted.failed else INK
            word = Word(cut.omitted.text, middle, (top + bottom) / 2.0, ink=ink)
            if sheet.write(word):
                sheet.mask(word, BAND)


def _band(cut: Break) -> tuple[float, float]:
    return _START + cut.top + _INSET, _START + cut.bottom - _INSET


def _lifelines(sheet: Sheet, page: _Page) -> None:
    top = _HEADER + _BOX_HEIGHT
    for x in page.columns:
        _interrupted(sheet, page, x, top, page.end, LIFELINE)
    _interrupted(sheet, page, _AXIS, _START - 2.0, page.end, LIFELINE)
    tip = (_AXIS, page.end + 1.0)
    down = ((_AXIS - 1.0, page.end - 0.8), (_AXIS + 1.0, page.end - 0.8))
    sheet.areas.append(Area((tip, *down), LIFELINE))


def _interrupted(
    sheet: Sheet, page: _Page, x: float, top: float, bottom: float, colour: str
) -> None:
    """A vertical line, solid where time is to scale, dotted where it is cut."""
    for cut in page.placed.breaks:
        band_top, band_bottom = _band(cut)
        sheet.lines.append(Line(((x, top), (x, band_top)), colour, 1.0))
        dotted = ((x, band_top), (x, band_bottom))
        sheet.lines.append(Line(dotted, colour, 1.2, (0.0, (1.0, 2.0))))
        top = band_bottom
    sheet.lines.append(Line(((x, top), (x, bottom)), colour, 1.0))


def _windows(sheet: Sheet, page: _Page) -> None:
    """A request whose arrow starts on the long side of the shape is lost."""
    placed = page.placed
    for row, race in enumerate(page.story.races):
        near, far = page.columns[race.hop], page.columns[race.hop + 1]
        corners = (
            (near, _START + placed.opens[row]),
            (far, _START + placed.deaf[row]),
            (far, _START + placed.said[row]),
            (near, _START + placed.learned[row]),
        )
        sheet.areas.append(Area(corners, WINDOW, layer=SHADE))
        edge = (corners[0], corners[3])
        sheet.lines.append(Line(edge, WINDOW_EDGE, 3.0, layer=LINES))


# -- arrows ---------------------------------------------------------------------------


def _by_importance(page: _Page) -> list[int]:
    """The rows of the messages, those first whose words must find room."""
    messages = page.story.messages
    return sorted(range(len(messages)), key=lambda row: (_weight(messages[row]), row))


def _weight(message: Message) -> int:
    if message.fate is not Fate.FINE:
        return 0
    return 1 if is_end(message.event) else 2


def _stroke(message: Message) -> Stroke:
    if message.fate in (Fate.DIED, Fate.UNANSWERED, Fate.FAILURE):
        return FAILURE
    return STROKES[message.event.kind]


def _arrow(sheet: Sheet, page: _Page, row: int) -> None:
    message = page.story.messages[row]
    tail, tip = page.tail(row), page.tip(row)
    stroke = _stroke(message)
    sheet.lines.append(shaft(tail, tip, stroke))
    if message.fate is Fate.DIED:
        sheet.areas.extend(cross(along(tail, tip, 0.97), 2.3, 0.5, FAILED, halo=0.35))
    elif message.fate is Fate.LOST:
        sheet.areas.extend(cross(tip, 1.7, 0.35, INK, halo=0.3))
    else:
        sheet.areas.extend(head(tail, tip, stroke))
    _label(sheet, page, row)


def _label(sheet: Sheet, page: _Page, row: int) -> None:
    message = page.story.messages[row]
    tail, tip = page.tail(row), page.tip(row)
    room = page.hop_width(message.event.hop) * 0.5
    stroke = _stroke(message)
    weight = "bold" if stroke is FAILURE else "normal"
    text = textsize.shortened(_words(page, message), room, LABEL, weight)
    word = sheet.write_first(_spots(text, tail, tip, weight, stroke.ink))
    if word is not None:
        sheet.mask(word, PAPER)


def _spots(
    text: str, tail: Point, tip: Point, weight: str, ink: str
) -> Iterator[Word]:
    """Near the sender first: there the words of the two directions never meet."""
    half = textsize.width(text, LABEL, weight) / 2.0 + 3.5
    length = abs(tip[0] - tail[0]) or 1.0
    for share in (max(0.27, half / length), 0.5, 0.66):
        x, y = along(tail, tip, share)
        if half / length <= share <= 1.0 - half / length:
            yield Word(text, x, y, "center", LABEL, weight, ink)


def _words(page: _Page, message: Message) -> str:
    """What stands on an arrow, "" where the arrow says enough."""
    event = message.event
    if message.fate is Fate.LOST:
        return f"{event.kind} lost"
    if event.kind is Kind.SYN:
        return "SYN" if event.direction is Direction.UPSTREAM else ""
    if is_end(event):
        return goodbye_words(page.run, event)
    if not _is_labelled(page, message):
        return ""
    if is_request(event):
        return event.first_line.rsplit(" ", 1)[0]
    return _answer(page, message) if is_answer(event) else ""


def _is_labelled(page: _Page, message: Message) -> bool:
    """Beyond the first hop an uneventful exchange repeats what hop 0 says."""
    if message.event.hop == 0 or message.exchange == NOBODY:
        return True
    exchange = page.run.exchanges[message.exchange]
    return is_eventful(exchange) or message.exchange == page.story.kept[0]


def _answer(page: _Page, message: Message) -> str:
    if message.event.hop == 0 and message.exchange != NOBODY:
        exchange = page.run.exchanges[message.exchange]
        if str(exchange.status) == status(message.event):
            return headline.outcome(exchange)
    return status(message.event)


# -- margins --------------------------------------------------------------------------


def _badges(sheet: Sheet, page: _Page) -> None:
    """The number of each request, where it leaves its client."""
    for index, y in _starts(page):
        exchange = page.run.exchanges[index]
        failed = exchange.failed
        ink = FAILED_INK if failed else STROKES[Kind.DATA].ink
        word = Word(
            headline.name(exchange), _FIRST - 2.0, y, "right", LABEL, "bold", ink
        )
        sheet.write(word)


def _starts(page: _Page) -> list[tuple[int, float]]:
    """Each request told, and the height at which its first segment starts."""
    starts: dict[int, float] = {}
    for row, message in enumerate(page.story.messages):
        event = message.event
        if event.hop == 0 and is_request(event):
            starts.setdefault(message.exchange, page.tail(row)[1])
    return sorted(starts.items())


def _times(sheet: Sheet, page: _Page) -> None:
    """On the time axis: when each request was sent, and what the breaks cut out."""
    for index, y in _starts(page):
        text = duration(page.run.exchanges[index].sent)
        if sheet.write(Word(text, _GUTTER, y, "right")):
            sheet.lines.append(Line(((_AXIS - 1.2, y), (_AXIS, y)), LIFELINE, 1.0))
    for cut in page.placed.breaks:
        top, bottom = _band(cut)
        text = f"+ {duration(cut.seconds)}"
        middle = (top + bottom) / 2.0
        sheet.write(Word(text, _GUTTER, middle, "right", ink=MUTED, slant="italic"))


def _legend(sheet: Sheet, page: _Page, window: bool) -> None:
    """The kinds of segments that occur, with their strokes."""
    y = page.height - 5.0
    x = _AXIS
    kinds = {m.event.kind for m in page.story.messages}
    samples = [(kind.value, STROKES[kind]) for kind in Kind if kind in kinds]
    if any(_stroke(m) is FAILURE for m in page.story.messages):
        samples.append(("failed", FAILURE))
    for text, stroke in samples:
        x = _sample(sheet, x, y, text, stroke)
    if window and page.story.races:
        corners = ((x, y - 1.6), (x + 7.0, y - 1.6), (x + 7.0, y + 1.6), (x, y + 1.6))
        sheet.areas.append(Area(corners, WINDOW))
        sheet.lines.append(Line(((x, y - 1.6), (x, y + 1.6)), WINDOW_EDGE, 3.0))
        sheet.write(Word("race window", x + 8.5, y, "left"))


def _sample(sheet: Sheet, x: float, y: float, text: str, stroke: Stroke) -> float:
    tail, tip = (x, y), (x + 9.0, y)
    sheet.lines.append(shaft(tail, tip, stroke))
    sheet.areas.extend(head(tail, tip, stroke))
    word = Word(text, x + 10.5, y, "left")
    sheet.write(word)
    return word.box().right + 5.0


__all__ = ["sequence"]
_UNUSED = (BLUE, MASKS)
