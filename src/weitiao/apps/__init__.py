"""Applications: compositions of the rooms below. What learns stays in those; here is a firm's work."""
