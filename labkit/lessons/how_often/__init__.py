"""How often: the share of failed requests over their rate, and errors a day."""

from labkit.lessons.how_often import estimates as estimates
from labkit.lessons.how_often import heartbeat as heartbeat
from labkit.lessons.how_often.claim import HIGHEST as HIGHEST
from labkit.lessons.how_often.claim import WIRES as WIRES
from labkit.lessons.how_often.claim import check_claim as check_claim
from labkit.lessons.how_often.hump import DELAY as DELAY
from labkit.lessons.how_often.hump import POOL_RATES as POOL_RATES
from labkit.lessons.how_often.hump import POOLS as POOLS
from labkit.lessons.how_often.hump import RATES as RATES
from labkit.lessons.how_often.hump import RECORDING as RECORDING
from labkit.lessons.how_often.hump import ROUND_TRIP as ROUND_TRIP
from labkit.lessons.how_often.hump import TIMEOUT as TIMEOUT
from labkit.lessons.how_often.hump import chain as chain
from labkit.lessons.how_often.hump import guessed as guessed
from labkit.lessons.how_often.hump import left_out as left_out
from labkit.lessons.how_often.hump import line as line
from labkit.lessons.how_often.hump import measure as measure
from labkit.lessons.how_often.hump import modelled as modelled
from labkit.lessons.how_often.hump import pool as pool
from labkit.lessons.how_often.hump import pools as pools
from labkit.lessons.how_often.hump import quiet_day as quiet_day
from labkit.lessons.how_often.hump import quiet_proxy as quiet_proxy
from labkit.lessons.how_often.hump import recorded as recorded
from labkit.lessons.how_often.hump import series as series
from labkit.lessons.how_often.hump import window as window
