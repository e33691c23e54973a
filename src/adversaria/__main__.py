"""`python -m adversaria`."""

import sys

from adversaria.cli import main

sys.exit(main())
