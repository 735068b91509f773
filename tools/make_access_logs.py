"""Make the samples in data/access-logs/: one traffic, written in four formats.

python tools/make_access_logs.py [FOLDER]

Nobody's log: the requests are drawn from a seed. They go to two upstreams that are
50 ms away and close an idle connection after 5 s, so that a request that finds its
upstream idle for 4.9 to 5 s is lost, as the race window says.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "access-logs"
SEED = 20260302
REQUESTS = 300
MEAN_GAP = 2.5
LOST_AFTER = (4.9, 5.0)
BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UPSTREAMS = ("10.1.0.4:8080", "10.1.0.5:8080")
CLIENTS = ("192.0.2.10:40112", "192.0.2.11:51210", "198.51.100.7:33018")
PATHS = ("/", "/cart", "/items/7", "/items/12?colour=red", "/search?q=tea+pot")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Fact:
    """One request; ``start`` and ``duration`` are microseconds, the first since 1970.

    A request that got no answer in the end has the flag "UC".
    """

    number: int
    start: int
    duration: int
    method: str
    path: str
    status: int
    size: int
    upstream: str
    client: str
    flags: str = "-"

    @property
    def end(self) -> int:
        return self.start + self.duration

    @property
    def request_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.number:012x}"


def facts(seed: int = SEED, requests: int = REQUESTS) -> Iterator[Fact]:
    """Poisson traffic with a request under way now and then when the next one comes."""
    chance = random.Random(seed)
    free = dict.fromkeys(UPSTREAMS, 0)
    at = (BEGIN - _EPOCH) // timedelta(microseconds=1)
    for number in range(requests):
        at += int(chance.expovariate(1 / MEAN_GAP) * 1e6)
        upstream = chance.choice(UPSTREAMS)
        idle = (at - free[upstream]) / 1e6
        lost = LOST_AFTER[0] < idle < LOST_AFTER[1]
        took = 100_000 if lost else 104_000 + int(chance.expovariate(1 / 0.03) * 1e6)
        fact = Fact(
            number,
            at,
            took,
            "POST" if chance.random() < 0.1 else "GET",
            chance.choice(PATHS),
            503 if lost else 200,
            95 if lost else chance.randrange(200, 20_000),
            upstream,
            chance.choice(CLIENTS),
            "UC" if lost else "-",
        )
        free[upstream] = max(free[upstream], fact.end)
        yield fact


# -- the formats ----------------------------------------------------------------------


def moment(stamp: int) -> datetime:
    """A stamp as a moment in UTC."""
    return _EPOCH + timedelta(microseconds=stamp)


def envoy_json(fact: Fact) -> str:
    """Under the names that Istio and ``labkit serve --log-format json`` use."""
    return json.dumps(
        {
            "start_time": f"{moment(fact.start).isoformat('T', 'milliseconds')[:23]}Z",
            "method": fact.method,
            "path": fact.path,
            "protocol": "HTTP/1.1",
            "response_code": fact.status,
            "response_flags": fact.flags,
            "bytes_received": 0,
            "bytes_sent": fact.size,
            "duration": fact.duration // 1000,
            "request_id": fact.request_id,
            "upstream_host": fact.upstream,
            "downstream_remote_address": fact.client,
        }
    )


def envoy_text(fact: Fact) -> str:
    """Envoy's default."""
    start = moment(fact.start).isoformat("T", "milliseconds")[:23]
    took = fact.duration // 1000
    service = "-" if fact.flags != "-" else str(took)
    return (
        f'[{start}Z] "{fact.method} {fact.path} HTTP/1.1" {fact.status} {fact.flags} '
        f'0 {fact.size} {took} {service} "-" "{AGENT}" "{fact.request_id}" '
        f'"shop.example" "{fact.upstream}"'
    )


def nginx_combined(fact: Fact, hours: int = 1) -> str:
    """As an nginx that lives ``hours`` east of Greenwich writes it."""
    end = moment(fact.end).astimezone(timezone(timedelta(hours=hours)))
    month = MONTHS[3 * end.month - 3 : 3 * end.month]
    stamp = f"{end:%d}/{month}/{end:%Y:%H:%M:%S %z}"
    return (
        f"{fact.client.rpartition(':')[0]} - - [{stamp}] "
        f'"{fact.method} {fact.path} HTTP/1.1" {fact.status} {fact.size} "-" "{AGENT}"'
    )


def alb(fact: Fact) -> str:
    """AWS's, with -1 and - where the target never answered."""
    start, end = (f"{moment(s):%Y-%m-%dT%H:%M:%S.%fZ}" for s in (fact.start, fact.end))
    lost = fact.flags != "-"
    times = "-1 -1 -1" if lost else f"0.000 {fact.duration / 1e6:.3f} 0.000"
    statuses = "502 -" if lost else f"{fact.status} {fact.status}"
    answered = "-" if lost else str(fact.status)
    return (
        f"http {end} app/shop/50dc6c495c0c9188 {fact.client} {fact.upstream} {times} "
        f"{statuses} 230 {fact.size} "
        f'"{fact.method} http://shop.example:80{fact.path} HTTP/1.1" "{AGENT}" - - '
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/0123 "
        f'"Root=1-67c41a10-{fact.number:024x}" "-" "-" 0 {start} "forward" "-" "-" '
        f'"{fact.upstream}" "{answered}" "-" "-"'
    )


WRITERS: dict[str, Callable[[Fact], str]] = {
    "envoy-json": envoy_json,
    "envoy-text": envoy_text,
    "nginx-combined": nginx_combined,
    "alb": alb,
}


def text(name: str) -> str:
    """The sample in one format: lines in the order of the ends, as logs have them."""
    rows = sorted(facts(), key=lambda fact: (fact.end, fact.number))
    return "".join(f"{WRITERS[name](fact)}\n" for fact in rows)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in WRITERS:
        (folder / f"{name}.log").write_text(text(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
