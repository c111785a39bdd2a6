"""`python -m simulator` runs the simulator until a signal ends it."""

import sys

from simulator.provider import main

sys.exit(main())
