"""Measure, print, judge nothing: `python tests/bench/run.py [NAME…] [--quick] [--xruns-seconds N]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "system"))  # the rig

import cost
import latency
import status
import xruns
from rig.card import VirtualCard

NAMES = ("cost", "latency", "status", "xruns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which benches; default all")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that the benches work")
    parser.add_argument("--xruns-seconds", type=float, default=600)
    arguments = parser.parse_args()
    names = arguments.names or NAMES
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}, Python {sys.version.split()[0]}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is also stopped
    card = VirtualCard()
    card.start()
    try:
        if "cost" in names:
            cost.run(card, seconds=10 if arguments.quick else 30, rounds=1 if arguments.quick else 3)
        if "latency" in names:
            latency.run(card, number=10 if arguments.quick else 100)
        if "status" in names:
            status.run(card, number=5 if arguments.quick else 30)
        if "xruns" in names:
            xruns.run(card, seconds=20 if arguments.quick else arguments.xruns_seconds)
    finally:
        card.remove()


if __name__ == "__main__":
    main()
