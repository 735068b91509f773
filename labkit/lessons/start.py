"""The landing page: its failing chain, and the exercise of the three log lines."""

from __future__ import annotations

import re

from labkit.lessons.answers import Refused, options, shown, table
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.verdict import Verdict, check
from labkit.settings import Hop, Pool, Scenario, Server, Traffic

# Three log lines of one chain ALB - Envoy - Node, and the hop that raced, each
# named by the two programs at its ends. Each line carries its times: an ALB writes
# the same 502 with target_status_code "-" when it cannot connect at all (-1 -1 -1,
# which AWS gives to some early closes as well) and when its target works for seconds
# and then dies.
LINES = {
    "A": "request_processing_time=0.003 target_processing_time=0.000 "
    "response_processing_time=-1 elb_status_code=502 target_status_code=- "
    '"GET /cart"',
    "B": '"GET /cart" 503 UC upstream_reset_before_response_started'
    '{connection_termination} - "-" 0 95 0 -',
    "C": '"GET /cart" 503 UF upstream_reset_before_response_started'
    "{remote_connection_failure|delayed_connect_error:_Connection_refused}",
}
HOPS = ("alb-envoy", "envoy-node", "none")
_TRUTH = {"A": "alb-envoy", "B": "envoy-node", "C": "none"}
_HINTS = {
    ("A", "envoy-node"): "If Envoy had lost its own upstream, Envoy would have logged "
    "it. Line A was written by the ALB alone.",
    ("A", "none"): "Read the three times of line A. 0.003 s, then 0.000 s: the ALB "
    "had a connection to Envoy, sent the request into it, and the connection ended "
    "at once. Without any connection the times are -1 -1 -1; an Envoy that "
    "worked and then died would have taken longer, and it had been running for days.",
    ("B", "alb-envoy"): "Line B is Envoy's own: UC is said of Envoy's upstream.",
    ("B", "none"): "UC: the upstream connection was terminated before it answered. "
    "That took 0 ms (the last of the three numbers at the end is the duration), on a "
    "connection that had been used before, and Node had not been restarted: no crash.",
    ("C", "alb-envoy"): "Line C is Envoy's own, about its upstream.",
    ("C", "envoy-node"): "UF, connection refused: there was no connection to race on.",
}
_EXAMPLE = '{"A": "alb-envoy", "B": "none", "C": "none"}'


def failing_chain() -> Scenario:
    """Six requests, the last of which meets the upstream's closing connection.

    Each gap is 20 ms short of a whole second, so that every whole second of the
    upstream's timer catches one of them while the wire takes 20 ms.
    """
    return through_a_proxy(
        "one request meets a closing connection",
        client=Hop(name="client", pool=Pool(idle_timeout=60.0)),
        pool=Pool(idle_timeout=60.0),
        delay=0.02,
        server=Server(idle_timeout=5.0),
        traffic=Traffic(
            arrivals="gaps", gaps=(0.98, 1.98, 2.98, 3.98, 4.98), requests=6
        ),
    )


@check
def check_hops(answers: object) -> Verdict:
    """Does each line name the hop that raced, or "none" where nothing raced?"""
    given = {_line(name): hop for name, hop in table(answers, _EXAMPLE).items()}
    unknown = [line for line in given if line not in _TRUTH]
    if unknown:
        raise Refused(
            f"There is no line {shown(unknown[0])}; the lines are A, B and C."
        )
    for line in _TRUTH:
        _require(line, given.get(line, "nothing yet"))
    return Verdict(True, "All three lines lead to the right place.")


def _line(name: object) -> object:
    """The name of a line, in whatever case it was written."""
    return name.strip().upper() if isinstance(name, str) else name


def _require(line: str, answer: object) -> None:
    hop = _hop(answer)
    if hop is None:
        told = f"Line {line} has the answer {shown(answer)}; allowed: {options(HOPS)}."
        hint = "Who wrote the line, and about which of its two connections?"
        raise Refused(told, hint)
    if hop != _TRUTH[line]:
        raise Refused(f'Line {line} is not "{hop}".', _HINTS[line, hop])


def _hop(answer: object) -> str | None:
    """The hop that an answer means: "Envoy → Node" is "envoy-node", None is "none"."""
    text = "none" if answer is None else answer if isinstance(answer, str) else ""
    words = set(re.findall(r"[a-z]+", text.casefold()))
    return next((hop for hop in HOPS if words == set(hop.split("-"))), None)
