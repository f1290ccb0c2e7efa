"""A bundle as a service: requests in over HTTP, batched, answered in order, counted and watched."""
