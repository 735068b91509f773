"""How a connection dies: its plays, its exercises, and the panel of a connection."""

from labkit.lessons.teardown.lost_413 import check_upload as check_upload
from labkit.lessons.teardown.panel import PRESETS as PRESETS
from labkit.lessons.teardown.panel import last_request as last_request
from labkit.lessons.teardown.panel import told_by as told_by
from labkit.lessons.teardown.plays import ANSWER as ANSWER
from labkit.lessons.teardown.plays import DELAY as DELAY
from labkit.lessons.teardown.plays import PIECE as PIECE
from labkit.lessons.teardown.plays import PLAYS as PLAYS
from labkit.lessons.teardown.plays import REQUEST as REQUEST
from labkit.lessons.teardown.plays import TOO_LARGE as TOO_LARGE
from labkit.lessons.teardown.plays import Play as Play
from labkit.lessons.teardown.plays import answers_and_closes as answers_and_closes
from labkit.lessons.teardown.plays import asks_and_listens as asks_and_listens
from labkit.lessons.teardown.plays import compared as compared
from labkit.lessons.teardown.plays import failing_write as failing_write
from labkit.lessons.teardown.plays import head as head
from labkit.lessons.teardown.plays import (
    hears_the_end_and_answers as hears_the_end_and_answers,
)
from labkit.lessons.teardown.plays import never_reads as never_reads
from labkit.lessons.teardown.plays import play as play
from labkit.lessons.teardown.plays import refuses as refuses
from labkit.lessons.teardown.plays import upload as upload
from labkit.lessons.teardown.plays import writes_on as writes_on
from labkit.lessons.teardown.reset import asks_and_waits as asks_and_waits
from labkit.lessons.teardown.reset import check_reset as check_reset
