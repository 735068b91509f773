"""Exercise 1 of retries: what does a word of retry_on cover?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from labkit.lab import run_many
from labkit.lessons.answers import Refused, options, shown, table, word
from labkit.lessons.retries.two_failures import closing
from labkit.lessons.verdict import Verdict, check
from labkit.settings.validators import one_line

NEITHER, REFUSED, BOTH = "neither", "refused", "both"
ASKED = ("connect-failure", "reset-before-request", "retriable-4xx", "5xx", "reset")


@check
def check_words(answers: object) -> Verdict:
    """Which of two failures does each word repeat?

    "refused" is a connection that nobody accepts, "both" that and a connection
    that closes while the request is on its way. The truth is measured.
    """
    given = table(answers, '{"reset": "both"}')
    for asked in ASKED:
        answer, truth = word(given.get(asked)), covered(asked)
        if answer not in (NEITHER, REFUSED, BOTH):
            raise Refused(_no_answer(asked, given), _ASK)
        if answer != truth:
            hint = _word_hint(asked, answer, truth)
            raise Refused(f'{asked} is not "{answer}".', hint)
    return Verdict(True, f"All {len(ASKED)} words do what you say.")


_ASK = "Has the request been sent when it fails? That is what the words tell apart."


def _no_answer(asked: str, given: Mapping[object, object]) -> str:
    told = (
        f"{asked} has the answer {shown(given.get(asked))}; allowed: "
        f"{options((NEITHER, REFUSED, BOTH))}."
    )
    unasked = ", ".join(str(each) for each in given if each not in ASKED)
    also = f" Nobody asked for {one_line(unasked, 60)}." if unasked else ""
    return told + also


@cache
def covered(word: str) -> str:
    """What the lab's proxy repeats with this word, by trying both failures."""
    refused = closing((word,), 1).replace("origin.script", "refuse")
    tried = run_many([refused, closing((word,), 2)], progress=False)
    on_refused, on_race = (done.hops[1].retries > 0 for done in tried)
    return BOTH if on_race else REFUSED if on_refused else NEITHER


def _word_hint(word: str, answer: object, truth: str) -> str:
    if word == "reset-before-request" and answer == BOTH:
        return (
            "Its name promises it. But on HTTP/1.1 the proxy writes the request in "
            "the moment it takes the connection, and learns of the FIN afterwards: "
            "there is no reset *before* the request (Envoy 47468)."
        )
    if truth == BOTH:
        return (
            f"With {word} the lab's proxy did repeat a request that had met a closing "
            "connection, a POST included."
        )
    if truth == NEITHER:
        return f"{word} looks at the status of an answer, and there was none."
    if answer == BOTH:
        return f"{word} repeats only what was never sent; in the race it was."
    return f"A refused connection took nothing: {word} does repeat that."
