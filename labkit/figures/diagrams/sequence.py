"""The sequence diagram: one lifeline per party, time down the paper, slanted arrows."""

from __future__ import annotations

from functools import partial

from labkit.figures.diagrams import headline
from labkit.figures.diagrams.arrows import along, cross, head, pill, shaft
from labkit.figures.diagrams.attribution import NOBODY, Fate
from labkit.figures.diagrams.labels import by_importance, label, stroke_of
from labkit.figures.diagrams.layout import (
    AXIS,
    BADGES,
    BOX_HEIGHT,
    GUTTER,
    HEADER,
    START,
    Layout,
    Wanted,
    band,
    fitting,
    on_paper,
)
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.selection import Selection
from labkit.figures.diagrams.timeline import Break
from labkit.figures.paper import captions
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.sheet import (
    GROUND,
    SHADE,
    Box,
    Grain,
    Point,
    Sheet,
    Size,
    Word,
)
from labkit.figures.paper.style import (
    BAND,
    FAILED,
    FAILED_INK,
    FAILURE,
    INK,
    LABEL,
    LIFELINE,
    MUTED,
    PAPER,
    STROKES,
    WINDOW,
    WINDOW_EDGE,
    Stroke,
)
from labkit.records.trace import Kind
from labkit.theory import duration, moment

WIDTH = 178.0  # mm, as wide as a notebook shows without shrinking
TALLEST = 225.0  # mm; a longer story is summed up
_NARROWEST, _LOWEST = 120.0, 70.0  # a smaller page would not hold the margins


def sheet(
    run: RunLike,
    size: Size | None = None,
    *,
    window: bool = True,
    first: int | None = None,
    last: int | None = None,
    focus: int | None = None,
) -> Sheet:
    """Who sent what to whom, and when.

    Without a ``size`` in mm the sheet is as tall as the story needs; on paper of a
    given size more requests are summed up until the story fits. ``window`` shades the
    spans in which a request would be lost. ``first``, ``last`` and ``focus`` count
    requests from 1: the range to tell, and the one that it is about (the first that
    failed).
    """
    wanted = Wanted(first, last, focus)
    if size is None:
        return layout(fitting(run, WIDTH, TALLEST, wanted), window)
    wide, high = size
    page = fitting(run, max(wide, _NARROWEST), max(high, _LOWEST), wanted)
    page = on_paper(page, high)
    return layout(page, window, (page.width / wide, page.height / high))


# -- the layout, as data --------------------------------------------------------------


def layout(page: Layout, window: bool = True, grain: Grain = (1.0, 1.0)) -> Sheet:
    """Everything on its place: important words first, they get the room."""
    sheet = Sheet(page.width, page.height, grain)
    _headline(sheet, page)
    _header(sheet, page)
    _bands(sheet, page)
    _lifelines(sheet, page)
    if window:
        _windows(sheet, page)
    for row in by_importance(page):
        _arrow(sheet, page, row)
    _badges(sheet, page)
    _times(sheet, page)
    _legend(sheet, page, window)
    return sheet


def _headline(sheet: Sheet, page: Layout) -> None:
    focus = page.selection.focus
    failed = focus != NOBODY and page.exchanges[focus].failed
    captions.headline(
        sheet,
        headline.titles(page.exchanges, page.selection),
        headline.facts(page.run, page.exchanges, page.selection),
        FAILED_INK if failed else INK,
    )


def _header(sheet: Sheet, page: Layout) -> None:
    names = page.run.scenario.parties
    room = min(34.0, page.hop_width(0) - 4.0)
    for x, name in zip(page.columns, names, strict=True):
        limit = min(room, 2.0 * (page.width - x) - 2.0)
        captions.name_box(sheet, x, HEADER, name, limit)
    for hop, settings in enumerate(page.run.scenario.hops):
        _delay(sheet, page, hop, settings.link.delay)


def _delay(sheet: Sheet, page: Layout, hop: int, delay: float) -> None:
    middle = (page.columns[hop] + page.columns[hop + 1]) / 2.0
    y = HEADER + BOX_HEIGHT / 2.0
    words = (f"{duration(delay)} each way", duration(delay)) if delay else ("no delay",)
    sheet.write_first(Word(text, middle, y, ink=MUTED) for text in words)


def _bands(sheet: Sheet, page: Layout) -> None:
    for cut in page.placed.breaks:
        top, bottom = band(cut)
        left, right = AXIS - 2.0, page.columns[-1] + 9.0
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        sheet.area(corners, BAND, layer=GROUND)
        _band_words(sheet, page, cut)


def _band_words(sheet: Sheet, page: Layout, cut: Break) -> None:
    """What the cut left out: requests, or so many seconds of nothing."""
    y = START + (cut.top + cut.bottom) / 2.0
    passed = f"{duration(cut.seconds)} pass"
    if cut.omitted is None:
        spots = [Word(passed, x, y, ink=MUTED) for x in _free_hops(page, cut)]
        gutter = Word(passed, GUTTER, y, "right", ink=MUTED)
        sheet.write_first([*spots, gutter])
        return
    ink = FAILED_INK if cut.omitted.failed else INK
    middle = (page.columns[0] + page.columns[-1]) / 2.0
    long = f"{cut.omitted.text} · {passed}" if cut.seconds else cut.omitted.text
    texts = (long, cut.omitted.text)
    word = sheet.write_first(Word(text, middle, y, ink=ink) for text in texts)
    if word is not None:
        sheet.mask(word, BAND)


def _free_hops(page: Layout, cut: Break) -> list[float]:
    """The middles of the hops on which nothing is on its way during the cut."""
    middle = START + (cut.top + cut.bottom) / 2.0
    busy = {
        message.event.hop
        for message, (tail, tip) in page.arrows()
        if tail[1] < middle < tip[1]
    }
    hops = (hop for hop in range(len(page.columns) - 1) if hop not in busy)
    return [(page.columns[hop] + page.columns[hop + 1]) / 2.0 for hop in hops]


def _lifelines(sheet: Sheet, page: Layout) -> None:
    top = HEADER + BOX_HEIGHT
    for x in page.columns:
        _interrupted(sheet, page, x, top, page.end, LIFELINE)
    _interrupted(sheet, page, AXIS, START - 2.0, page.end, LIFELINE)
    tip = (AXIS, page.end + 1.0)
    down = ((AXIS - 1.0, page.end - 0.8), (AXIS + 1.0, page.end - 0.8))
    sheet.area((tip, *down), LIFELINE)


def _interrupted(
    sheet: Sheet, page: Layout, x: float, top: float, bottom: float, colour: str
) -> None:
    """A vertical line, solid where time is to scale, dotted where it is cut."""
    for cut in page.placed.breaks:
        band_top, band_bottom = band(cut)
        sheet.line(((x, top), (x, band_top)), colour, 1.0)
        dotted = ((x, band_top), (x, band_bottom))
        sheet.line(dotted, colour, 1.2, (0.0, (1.0, 2.0)))
        top = band_bottom
    sheet.line(((x, top), (x, bottom)), colour, 1.0)


def _windows(sheet: Sheet, page: Layout) -> None:
    """A request whose arrow starts on the long side of the shape is lost."""
    placed = page.placed
    for row, race in enumerate(page.selection.races):
        near, far = page.columns[race.hop], page.columns[race.hop + 1]
        corners = (
            (near, START + placed.opens[row]),
            (far, START + placed.deaf[row]),
            (far, START + placed.said[row]),
            (near, START + placed.learned[row]),
        )
        sheet.area(corners, WINDOW, layer=SHADE)
        edge = (corners[0], corners[3])
        sheet.line(edge, WINDOW_EDGE, 3.0)


# -- arrows ---------------------------------------------------------------------------


def _arrow(sheet: Sheet, page: Layout, row: int) -> None:
    message = page.selection.messages[row]
    tail, tip = page.shafts[row]
    stroke = stroke_of(message)
    sheet.lines.append(shaft(tail, tip, stroke))
    if message.fate is Fate.DIED:
        sheet.areas.extend(cross(along(tail, tip, 0.97), 2.3, 0.5, FAILED, halo=0.35))
    elif message.fate is Fate.LOST:
        sheet.areas.extend(cross(tip, 1.7, 0.35, INK, halo=0.3))
    else:
        sheet.areas.extend(head(tail, tip, stroke))
    label(sheet, page, row)


# -- margins --------------------------------------------------------------------------


def _badges(sheet: Sheet, page: Layout) -> None:
    """The number of each request, where it leaves its client."""
    for exchange, y in page.starts():
        ink = PAPER if exchange.failed else STROKES[Kind.DATA].ink
        word = Word(headline.name(exchange), BADGES, y, "center", LABEL, "bold", ink)
        if sheet.write(word) and exchange.failed:
            sheet.areas.append(pill(word.box(), FAILED_INK))


def _times(sheet: Sheet, page: Layout) -> None:
    """On the time axis: when each request was sent."""
    for exchange, y in page.starts():
        text = moment(exchange.sent)
        if sheet.write(Word(text, GUTTER, y, "right")):
            sheet.line(((AXIS - 1.2, y), (AXIS, y)), LIFELINE, 1.0)


def _legend(sheet: Sheet, page: Layout, window: bool) -> None:
    """The kinds of segments that occur, with their strokes."""
    kinds = {m.event.kind for m in page.selection.messages}
    samples = [(kind.value, STROKES[kind]) for kind in Kind if kind in kinds]
    if any(stroke_of(m) is FAILURE for m in page.selection.messages):
        samples.append(("failed", FAILURE))
    entries = [Entry(text, partial(_sample, stroke=s), 9.0) for text, s in samples]
    if window and page.selection.races:
        words = f"race window{_width(page.selection)}"
        entries.append(Entry(words, _window_sample, 7.0))
    captions.legend(sheet, entries, page.legend)


def _sample(sheet: Sheet, at: Point, stroke: Stroke) -> None:
    (x, y), half = at, 4.5
    tail, tip = (x - half, y), (x + half, y)
    sheet.lines.append(shaft(tail, tip, stroke))
    sheet.areas.extend(head(tail, tip, stroke))


def _window_sample(sheet: Sheet, at: Point) -> None:
    x, y = at
    corners = Box(x - 3.5, y - 1.6, x + 3.5, y + 1.6).corners()
    sheet.area(corners, WINDOW, layer=SHADE)
    sheet.line((corners[0], corners[3]), WINDOW_EDGE, 3.0)


def _width(selection: Selection) -> str:
    """How long a window stands open, if all told do so equally long."""
    widths = {duration(round(r.learned - r.opens, 6)) for r in selection.races}
    return f" ({widths.pop()})" if len(widths) == 1 else ""
