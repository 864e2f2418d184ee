"""`python -m voicebotd`."""

import sys

from voicebotd.cli import main

sys.exit(main())
