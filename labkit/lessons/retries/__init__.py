"""Retries and their price: two failures that look alike, and what a repeat does."""

from labkit.lessons.retries.payments import check_safe as check_safe
from labkit.lessons.retries.two_failures import KINDS as KINDS
from labkit.lessons.retries.two_failures import QUICK as QUICK
from labkit.lessons.retries.two_failures import RECORDING as RECORDING
from labkit.lessons.retries.two_failures import SLOW as SLOW
from labkit.lessons.retries.two_failures import WORDS as WORDS
from labkit.lessons.retries.two_failures import at_once as at_once
from labkit.lessons.retries.two_failures import chain as chain
from labkit.lessons.retries.two_failures import closing as closing
from labkit.lessons.retries.two_failures import dying as dying
from labkit.lessons.retries.two_failures import failed_of as failed_of
from labkit.lessons.retries.two_failures import in_a_row as in_a_row
from labkit.lessons.retries.two_failures import kind as kind
from labkit.lessons.retries.two_failures import payout as payout
from labkit.lessons.retries.two_failures import recorded as recorded
from labkit.lessons.retries.two_failures import second_bursts as second_bursts
from labkit.lessons.retries.two_failures import stale as stale
from labkit.lessons.retries.two_failures import survey as survey
from labkit.lessons.retries.two_failures import together as together
from labkit.lessons.retries.words import ASKED as ASKED
from labkit.lessons.retries.words import check_words as check_words
from labkit.lessons.retries.words import covered as covered
