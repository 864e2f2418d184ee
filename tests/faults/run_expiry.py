"""`make expiry`: the same conversation of ten minutes twice, with sessions that last and with ones that expire.

    python tests/faults/run_expiry.py [--seconds N] [--every N] [--pace N]

Exit status 1 where the transcripts differ, where the model was asked for more without a reason, or where an answer made
the visitor wait longer than `MOST_INSERTED_MS` beyond what the model took.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent))

from faultrig.expiry import talk
from faultrig.hurry import hurried

MOST_INSERTED_MS = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--every", type=float, default=20.0)
    parser.add_argument("--pace", type=float, default=3.0, help="times real time (default: %(default)s)")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    whole = hurried(lambda: talk(arguments.seconds), pace=arguments.pace)
    cut = hurried(lambda: talk(arguments.seconds, f"expire={arguments.every:g}"), pace=arguments.pace)
    inserted_ms = max(cut.waits_ms) - max(whole.waits_ms)
    same = cut.transcript == whole.transcript
    print(f"{whole.seconds:.0f} s in {whole.sessions} session, {cut.seconds:.0f} s in {cut.sessions} sessions")
    print(f"{len(whole.transcript)} lines, the transcripts are {'the same' if same else 'not the same'}")
    print(f"asked to go on with a whole answer {whole.asked_in_vain} and {cut.asked_in_vain} times")
    print(f"longest silence {max(whole.waits_ms)} ms and {max(cut.waits_ms)} ms: {inserted_ms} ms inserted")
    for one, other in zip(whole.transcript, cut.transcript, strict=False):
        if one != other:
            print(f"--- {one} became {other}")
    in_place = whole.asked_in_vain == 0 and cut.asked_in_vain < cut.sessions
    return 0 if same and in_place and inserted_ms <= MOST_INSERTED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
