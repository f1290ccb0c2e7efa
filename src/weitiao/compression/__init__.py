"""Making a tuned bundle smaller and faster, and measuring what that costs."""

from weitiao.compression.compress import MAX_DROP, TARGETS, compress

__all__ = ["MAX_DROP", "TARGETS", "compress"]
