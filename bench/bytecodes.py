"""What a request costs in bytecodes: ``python -m bench.bytecodes [HOW MANY LINES]``.

Seconds depend on the machine and its mood, the number of bytecodes only on the version
of Python. It says where the work is, and whether a change has made it less.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from bench.rows import Row
from bench.speed import speed

FEW, MANY = 50, 250


def per_request(run: Callable[[int], object]) -> Counter[CodeType]:
    """By function, from two runs of so many requests: what is not done once."""
    run(FEW)  # what is imported late is imported now
    few, many = _counted(run, FEW), _counted(run, MANY)
    difference = {code: (many[code] - few[code]) / (MANY - FEW) for code in many}
    return Counter(difference)  # type: ignore[arg-type]


def _counted(run: Callable[[int], object], requests: int) -> Counter[CodeType]:
    seen: Counter[CodeType] = Counter()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        code = frame.f_code

        def inside(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                seen[code] += 1
            return inside

        return inside

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run(requests)
    finally:
        sys.settrace(before)
    return seen


def rows(run: Callable[[int], object]) -> list[Row]:
    """The sum of all functions."""
    total = sum(per_request(run).values())
    return [Row("bytecodes per request", total, "", MANY - FEW, "reported", None)]


def main() -> None:
    """Print the functions that cost most, and the sum."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    found = per_request(lambda requests: speed(requests, trace=False))
    print(f"{sum(found.values()):9.1f} bytecodes per request")
    for code, count in found.most_common(lines):
        where = "/".join(code.co_filename.split("/")[-2:])
        print(f"{count:9.1f} {code.co_qualname} ({where}:{code.co_firstlineno})")


if __name__ == "__main__":
    main()
