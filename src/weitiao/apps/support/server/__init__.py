"""The customer service over HTTP: customers' conversations, the widget, the agents' page."""
