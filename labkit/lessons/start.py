"""The landing page: its failing chain, and the exercise of the three log lines."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.lessons.verdict import Verdict
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic

# Three log lines of one chain ALB - Envoy - Node, and the hop that raced, each
# named by the two programs at its ends.
LINES = {
    "A": 'elb_status_code=502 target_status_code=- "GET /cart" (Envoy logged nothing)',
    "B": '"GET /cart" 503 UC upstream_reset_before_response_started'
    "{connection_termination}",
    "C": '"GET /cart" 503 UF upstream_reset_before_response_started'
    "{remote_connection_failure|delayed_connect_error:_Connection_refused}",
}
HOPS = ("alb-envoy", "envoy-node", "none")
_TRUTH = {"A": "alb-envoy", "B": "envoy-node", "C": "none"}
_HINTS = {
    ("A", "envoy-node"): "If Envoy had lost its own upstream, Envoy would have logged "
    "it. Line A was written by the ALB alone.",
    ("A", "none"): "target_status_code=- says that the target gave no answer at all.",
    ("B", "alb-envoy"): "Line B is Envoy's own: UC is said of Envoy's upstream.",
    ("B", "none"): "UC: the upstream connection was terminated before it answered.",
    ("C", "alb-envoy"): "Line C is Envoy's own, about its upstream.",
    ("C", "envoy-node"): "UF, connection refused: there was no connection to race on.",
}


def failing_chain() -> Scenario:
    """Six requests, the last of which meets the upstream's closing connection.

    Each gap is 20 ms short of a whole second, so that every whole second of the
    upstream's timer catches one of them while the wire takes 20 ms.
    """
    upstream = Hop(
        name="proxy",
        pool=Pool(idle_timeout=60.0),
        link=Link(delay=0.02),
        server=Server(idle_timeout=5.0),
    )
    return Scenario(
        name="one request meets a closing connection",
        traffic=Traffic(
            arrivals="gaps", gaps=(0.98, 1.98, 2.98, 3.98, 4.98), requests=6
        ),
        hops=(Hop(name="client", pool=Pool(idle_timeout=60.0)), upstream),
    )


def check_hops(answers: Mapping[str, str]) -> Verdict:
    """Does each line name the hop that raced, or "none" where nothing raced?"""
    if not isinstance(answers, Mapping):
        return Verdict(False, 'Write a dict such as {"A": "alb-envoy"}.')
    for line, truth in _TRUTH.items():
        answer = answers.get(line)
        if answer not in HOPS:
            allowed = ", ".join(f'"{hop}"' for hop in HOPS)
            return Verdict(
                False,
                f"Line {line} has the answer {answer!r}; allowed are {allowed}.",
                "Who wrote the line, and about which of its two connections?",
            )
        if answer != truth:
            hint = _HINTS[line, answer]
            return Verdict(False, f'Line {line} is not "{answer}".', hint)
    return Verdict(True, "All three lines lead to the right place.")
