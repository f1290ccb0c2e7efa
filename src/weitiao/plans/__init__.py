"""Several tunings of one table, compared: the ladder."""
