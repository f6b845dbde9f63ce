"""`python -m lrpseg.cli`: the same as the command `lrpseg`."""

import sys

from lrpseg.cli.main import main

sys.exit(main())
