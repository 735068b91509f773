"""Which timer: four chains to repair, and the sentence about them put right."""

from labkit.lessons.telling import order as told_order
from labkit.lessons.which_timer import neighbours
from labkit.lessons.which_timer.chains import (
    alb_before_envoy,
    alb_before_node,
    broken,
    envoy_before_node,
    readings,
)
from labkit.lessons.which_timer.maps import (
    close_up,
    longest_safe,
    one_loss,
    read_aloud,
    square,
)
from labkit.lessons.which_timer.neighbours import front_presets, products
from labkit.lessons.which_timer.repairing import check_chain, told_knobs
from labkit.lessons.which_timer.sentence import check_sentence

__all__ = [
    "alb_before_envoy",
    "alb_before_node",
    "broken",
    "check_chain",
    "check_sentence",
    "close_up",
    "envoy_before_node",
    "front_presets",
    "longest_safe",
    "neighbours",
    "one_loss",
    "products",
    "read_aloud",
    "readings",
    "square",
    "told_knobs",
    "told_order",
]
