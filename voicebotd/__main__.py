"""`python -m voicebotd`."""

from voicebotd.cli import entry

entry()
