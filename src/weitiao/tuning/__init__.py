"""Tuning: a plan, one training loop, and the methods, one file each. Start at `tune`."""
