"""From the store to marts to figures: pure functions on frames."""
