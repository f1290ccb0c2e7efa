"""What learns: one file a method. Each has ``prepare`` and ``finish``, or ``fit`` where nothing is looped over."""
