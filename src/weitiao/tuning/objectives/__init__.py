"""What is learned beside the task's loss: one file an objective, each with ``term``; the loop adds them, weighted."""
