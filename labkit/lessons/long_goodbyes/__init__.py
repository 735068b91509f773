"""Long goodbyes: servers that leave in stages, and what their clients meet."""

from labkit.lessons.long_goodbyes.budget import check_leaving as check_leaving
from labkit.lessons.long_goodbyes.stages import PRESETS as PRESETS
from labkit.lessons.long_goodbyes.stages import RECORDED as RECORDED
from labkit.lessons.long_goodbyes.stages import RECORDING as RECORDING
from labkit.lessons.long_goodbyes.stages import around as around
from labkit.lessons.long_goodbyes.stages import counted as counted
from labkit.lessons.long_goodbyes.stages import goodbye as goodbye
from labkit.lessons.long_goodbyes.stages import panel_scenario as panel_scenario
from labkit.lessons.long_goodbyes.stages import patience as patience
from labkit.lessons.long_goodbyes.stages import probe as probe
from labkit.lessons.long_goodbyes.stages import probes_of as probes_of
from labkit.lessons.long_goodbyes.stages import probing as probing
from labkit.lessons.long_goodbyes.stages import recorded as recorded
from labkit.lessons.long_goodbyes.stages import series_of as series_of
from labkit.lessons.long_goodbyes.ways import DEPLOYS as DEPLOYS
from labkit.lessons.long_goodbyes.ways import WAYS as WAYS
from labkit.lessons.long_goodbyes.ways import deploy as deploy
from labkit.lessons.long_goodbyes.ways import deployed as deployed
from labkit.lessons.long_goodbyes.ways import failures as failures
from labkit.lessons.long_goodbyes.ways import leaving as leaving
from labkit.lessons.long_goodbyes.ways import short_lives as short_lives
