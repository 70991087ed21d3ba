"""The gate: nothing learned goes live before it has beaten what serves, on cases neither has learned from."""
