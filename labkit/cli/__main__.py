"""``python -m labkit.cli`` is ``labkit``."""

import sys

from labkit.cli.main import main

sys.exit(main())
