"""Route messages: act on confident answers, leave the others to people.

python route_tickets.py BUNDLE THRESHOLD < messages.txt
"""

from __future__ import annotations

import sys

import weitiao


def main(bundle: str, threshold: float) -> None:
    engine = weitiao.open_engine(bundle)
    messages = [line.strip() for line in sys.stdin if line.strip()]
    for message, prediction in zip(messages, engine.predict(messages), strict=True):
        sure = prediction.confidence >= threshold
        print(f"{prediction.label if sure else 'a person'}\t{prediction.confidence:.2f}\t{message}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
