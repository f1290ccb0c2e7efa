"""Applications: compositions of the rooms below. What learns stays in those; here is what a firm's work asks of them."""
