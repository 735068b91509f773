"""Which timer: four chains to repair, and the sentence about them put right."""

from labkit.lessons.which_timer import neighbours as neighbours
from labkit.lessons.which_timer.chains import alb_before_envoy as alb_before_envoy
from labkit.lessons.which_timer.chains import alb_before_node as alb_before_node
from labkit.lessons.which_timer.chains import broken as broken
from labkit.lessons.which_timer.chains import envoy_before_node as envoy_before_node
from labkit.lessons.which_timer.chains import readings as readings
from labkit.lessons.which_timer.maps import close_up as close_up
from labkit.lessons.which_timer.maps import longest_safe as longest_safe
from labkit.lessons.which_timer.maps import one_loss as one_loss
from labkit.lessons.which_timer.maps import read_aloud as read_aloud
from labkit.lessons.which_timer.maps import square as square
from labkit.lessons.which_timer.maps import told_order as told_order
from labkit.lessons.which_timer.neighbours import front_presets as front_presets
from labkit.lessons.which_timer.neighbours import products as products
from labkit.lessons.which_timer.repairing import check_chain as check_chain
from labkit.lessons.which_timer.repairing import told_knobs as told_knobs
from labkit.lessons.which_timer.sentence import check_sentence as check_sentence
