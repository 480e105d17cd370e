"""One page a file; each has `render()`."""
