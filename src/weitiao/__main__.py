"""The program: ``weitiao``, or ``python -m weitiao``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C is answered from the first instruction on, while it is still being imported."""
    try:
        from weitiao.cli import run

        code = run()
    except KeyboardInterrupt:
        from weitiao.terminal import interrupted

        code = interrupted(json="--json" in sys.argv)
    sys.exit(code)


if __name__ == "__main__":
    main()
