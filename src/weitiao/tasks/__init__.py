"""One file per task: the inputs it reads, its loss, and how logits become Predictions."""
