"""Customer service: a bot that answers what it is sure of, asks back, looks up, and hands over to a person."""
