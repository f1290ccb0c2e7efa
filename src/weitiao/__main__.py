"""``python -m weitiao``: the same program as ``weitiao``."""

from weitiao.cli import main

main()
