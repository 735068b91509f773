"""The words and numbers that roles, theory and model share: HTTP's and Envoy's.

The three are independent algorithms, for they check each other; what they are told
stands here, once.
"""

from __future__ import annotations

import math

# A word as HTTP writes methods and header names (RFC 9110, 5.6.2), as a pattern for one
# of its characters: the same in text and, encoded, in bytes.
TOKEN_CHARACTER = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"

# Methods whose requests have a body; its length is said even where it is 0.
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

# Statuses from 200 on whose answers never have a body.
WITHOUT_BODY = frozenset({204, 304})

# Envoy's words for retry_on: those that repeat a connection that was cut, those of
# them that repeat a 503 or 502 as well, and those that repeat what never left.
RETRIES_STATUS = frozenset({"5xx", "gateway-error"})
RETRIES_CUT = RETRIES_STATUS | {"reset"}
RETRIES_UNSENT = RETRIES_CUT | {"connect-failure", "reset-before-request"}

# Rounding: a tick that has just passed has passed.
TICK_ROUNDING = 1e-9


def next_tick(deadline: float, tick: float) -> float:
    """When a timer of such steps, counted from the loop's 0, looks at a deadline."""
    if deadline == math.inf:
        return math.inf
    return math.ceil(deadline / tick - TICK_ROUNDING) * tick
