"""A rollout: one lane per server of a hop, who listened when, and what failed there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from labkit.figures.diagrams.arrows import cross
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.timescale import TimeScale, time_scale
from labkit.figures.paper.captions import Entry, headline, legend, patch, stroke
from labkit.figures.paper.hatch import Hatch, fill
from labkit.figures.paper.shapes import mark
from labkit.figures.paper.sheet import GROUND, Box, Point, Sheet, Size, Word
from labkit.figures.paper.style import (
    BLUE,
    ENDING,
    FAILED,
    FAILED_INK,
    LEFT,
    LIFELINE,
    MUTED,
    OPEN,
    OVER,
    PAPER,
)
from labkit.records.replicas import ReplicaEvent, Stage
from labkit.records.service import Service, services
from labkit.records.trace import Exchange
from labkit.theory import moment

WIDTH = 178.0
_LEFT, _RIGHT = 26.0, 24.0  # mm beside the time axis
_ABOVE, _ROW, _BELOW = 17.0, 11.0, 9.0  # mm; below the lanes is the axis
_MOST = 16  # lanes; a picture with more is none
_MARGIN = 0.12  # of the time from the first event to the last, shown before and after
_LEGEND = 18.0  # mm, of three rows
_CLOSE = 2.4  # mm; marks of one kind that are closer are one


class Deployed(RunLike, Protocol):
    """A run that knows what became of its servers."""

    @property
    def replicas(self) -> list[ReplicaEvent]:
        """Deploys, crashes and outages."""

    def replica_of(self, exchange: Exchange, hop: int) -> int:
        """Which server of a hop a request was sent to last."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How a stage is drawn; the hatch is for whoever does not see the colour."""

    words: str
    colour: str
    hatch: Hatch


_LOOKS = {
    Stage.STARTING: _Look("starts, does not listen yet", PAPER, "."),
    Stage.LISTENING: _Look("listens", OPEN, "none"),
    Stage.LEAVING: _Look("told to go, still listens (preStop)", ENDING, "none"),
    Stage.DRAINING: _Look("listens no more, ends what it has", LEFT, "/"),
    Stage.SILENT: _Look("out of reach, answers nothing", OVER, "x"),
}
# What failed requests met: the shape of their mark, and the words for it.
_CAUSES = {
    "ConnectRefused": ("x", "refused: nobody listened"),
    "ServerDisconnected": ("D", "its connection was closed (FIN)"),
    "ConnectionReset": ("^", "its connection was reset (RST)"),
    "ConnectTimeout": ("v", "no answer to its SYN"),
    "Timeout": ("s", "no answer in time"),
    "NoUpstream": ("o", "no server to send it to"),
}
_OTHER = ("o", "failed otherwise")
_NOBODY = -1


def sheet(run: Deployed, size: Size | None = None, hop: int | None = None) -> Sheet:
    """Who listened when at the far end of a hop, and which requests failed and why.

    The bar of a server is what its program did; the line above it is the time in which
    the pool in front sent it requests. Where the two differ, requests fail. A mark is
    a failed request, at the moment it was sent. ``hop`` is the one where something
    happened first, if it is not given. ``size`` is of the paper in mm.
    """
    wide, high = size or (WIDTH, math.inf)
    page = _page(run, _hop(run) if hop is None else hop, wide, _fitting(high))
    needs = legend(Sheet(wide, math.inf), page.entries(), page.legend_at) + 2.0
    sheet = Sheet(wide, needs if size is None else high)
    headline(sheet, page.titles(), page.facts(), facts_ink=page.ink)
    for row, lane in enumerate(page.lanes):
        page.lane(sheet, lane, _ABOVE + (row + 0.5) * _ROW)
    page.axis(sheet)
    legend(sheet, page.entries(), page.legend_at)
    return sheet


def _hop(run: Deployed) -> int:
    """Where something happens; else the last one."""
    happened = [event.hop for event in run.replicas]
    return happened[0] if happened else len(run.scenario.hops) - 1


def _fitting(high: float) -> int:
    """How many lanes there is room for."""
    room = (high - _ABOVE - _BELOW - _LEGEND) / _ROW
    return max(1, int(min(room, _MOST)))


def _page(run: Deployed, hop: int, wide: float = WIDTH, most: int = _MOST) -> _Page:
    settings = run.scenario.hops[hop].server
    every = services(run.replicas, hop, settings.replicas, run.ended)
    failed: dict[int, list[Exchange]] = {}
    for each in run.exchanges:
        if each.failed:
            failed.setdefault(_server(run, each, hop), []).append(each)
    if _NOBODY in failed:
        every.insert(0, Service(_NOBODY))
    # Where there are too many, those first to which something happened.
    told = sorted(every, key=lambda s: s.replica not in failed and not s.changed)
    lanes = sorted(told[:most], key=lambda service: service.replica)
    scale = time_scale(_times(run, hop, failed), _LEFT, wide - _RIGHT)
    return _Page(run, hop, wide, lanes, failed, scale, len(every) - len(lanes))


def _server(run: Deployed, exchange: Exchange, hop: int) -> int:
    if exchange.error == "NoUpstream":
        return _NOBODY
    return run.replica_of(exchange, hop)


def _times(
    run: Deployed, hop: int, failed: dict[int, list[Exchange]]
) -> tuple[float, float]:
    """From a little before the first event or failure to a little after the last."""
    at = [event.at for event in run.replicas if event.hop == hop]
    at = [each for each in at if each <= run.ended]
    at += [each.sent for some in failed.values() for each in some] if at else []
    if not at:
        return 0.0, max(run.ended, 1e-3)
    room = max(_MARGIN * (max(at) - min(at)), 0.02 * run.ended)
    return max(0.0, min(at) - room), min(max(run.ended, 1e-3), max(at) + room)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is to be drawn, and where in time."""

    run: Deployed
    hop: int
    wide: float
    lanes: Sequence[Service]
    failed: dict[int, list[Exchange]]
    scale: TimeScale
    hidden: int

    @property
    def bottom(self) -> float:
        """Of the lanes, in mm."""
        return _ABOVE + _ROW * len(self.lanes)

    @property
    def legend_at(self) -> float:
        """The middle of its first row, in mm."""
        return self.bottom + _BELOW + 3.0

    @property
    def causes(self) -> Counter[str]:
        """Why requests failed."""
        return Counter(
            each.error or "" for some in self.failed.values() for each in some
        )

    @property
    def ink(self) -> str:
        """Of the facts."""
        return FAILED_INK if self.failed else MUTED

    # -- words -----------------------------------------------------------------------

    def titles(self) -> list[str]:
        """What the picture says, the fullest first."""
        name = self.run.scenario.parties[self.hop + 1]
        count = len(self.run.exchanges)
        lost = sum(map(len, self.failed.values()))
        what = f"{lost} of {count} requests failed" if lost else "no request failed"
        said = what[0].upper() + what[1:]
        return [f"{said} while servers of {name} changed", said]

    def facts(self) -> list[str]:
        """Why, and how it was measured."""
        told = [
            f"{count} {_CAUSES.get(cause, _OTHER)[1]}"
            for cause, count in self.causes.most_common()
        ]
        more = f"{self.hidden} more servers" if self.hidden else ""
        return [*told, more, f"{self.run.engine} engine"]

    def name(self, lane: Service) -> str:
        """Of a lane; people count from 1."""
        if lane.replica == _NOBODY:
            return "no server"
        return f"server {lane.replica + 1}"

    # -- lanes -----------------------------------------------------------------------

    def lane(self, sheet: Sheet, lane: Service, y: float) -> None:
        """A server's bar, the line of its requests, and what failed there."""
        sheet.write(Word(self.name(lane), _LEFT - 2.5, y, "right"))
        ends = ((_LEFT, y), (self.wide - _RIGHT, y))
        sheet.line(ends, LIFELINE, 0.5, (0.0, (1.0, 3.0)), GROUND)
        for spell in lane.spells:
            left, right = self._span(spell.start, spell.end)
            look = _LOOKS[spell.stage]
            box = Box(left, y - 2.2, right, y + 2.2)
            fill(sheet, box, look.colour, LIFELINE, look.hatch)
        for start, end in lane.asked:
            left, right = self._span(start, end)
            if right > left:
                sheet.line(((left, y - 3.5), (right, y - 3.5)), BLUE, 2.2)
        self._failures(sheet, lane, y)

    def _span(self, start: float, end: float) -> tuple[float, float]:
        return self.scale.x(start), self.scale.x(end)

    def _failures(self, sheet: Sheet, lane: Service, y: float) -> None:
        failed = self.failed.get(lane.replica, [])
        last: dict[str, float] = {}
        for each in failed:
            x, cause = self.scale.x(each.sent), each.error or ""
            if x - last.get(cause, -_CLOSE) >= _CLOSE:
                last[cause] = x
                _mark(sheet, (x, y), cause)
        if failed:
            text = f"{len(failed)} failed"
            sheet.write(Word(text, self.wide - _RIGHT + 2.5, y, "left", ink=FAILED_INK))

    def axis(self, sheet: Sheet) -> None:
        """The seconds of the run."""
        y = self.bottom
        sheet.line(((_LEFT, y), (self.wide - _RIGHT, y)), LIFELINE, 1.2)
        for tick in self.scale.ticks(room=22.0):
            x = self.scale.x(tick)
            sheet.line(((x, y), (x, y + 1.3)), LIFELINE, 1.0)
            sheet.write(Word(moment(tick), x, y + 3.6, "center"))

    def entries(self) -> list[Entry]:
        """The looks and the marks that occur, with their names."""
        stages = {spell.stage for lane in self.lanes for spell in lane.spells}
        told = [
            Entry(look.words, patch(look.colour, look.hatch))
            for stage, look in _LOOKS.items()
            if stage in stages
        ]
        told.append(Entry("requests are sent to it", stroke(BLUE, 2.2)))
        return told + [
            Entry(_CAUSES.get(cause, _OTHER)[1], partial(_mark, cause=cause), 3.0)
            for cause in self.causes
        ]


def _mark(sheet: Sheet, at: Point, cause: str) -> None:
    shape, _ = _CAUSES.get(cause, _OTHER)
    if shape == "x":
        sheet.areas.extend(cross(at, 1.7, 0.4, FAILED, halo=0.3))
    else:
        mark(sheet, at, shape, FAILED, PAPER, 1.3, 0.7)


# -- in words --------------------------------------------------------------------------


def alt_text(run: Deployed, hop: int | None = None) -> str:
    """The figure in words, for those who cannot see it."""
    page = _page(run, _hop(run) if hop is None else hop)
    lanes = " ".join(_told(page, lane) for lane in page.lanes[:_MOST])
    return f"{page.titles()[0]} ({', '.join(filter(None, page.facts()))}). {lanes}"


def _told(page: _Page, lane: Service) -> str:
    failed = len(page.failed.get(lane.replica, []))
    parts = [*_stages(lane), f"{failed} failed" if failed else ""]
    return f"{page.name(lane).capitalize()}: {', '.join(filter(None, parts))}."


def _stages(lane: Service) -> Iterator[str]:
    for spell in lane.spells:
        yield f"{spell.stage.value} {moment(spell.start)} to {moment(spell.end)}"
    for start, end in lane.asked:
        yield f"asked {moment(start)} to {moment(end)}"
