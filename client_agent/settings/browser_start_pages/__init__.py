"""Pages that the browsers open when they start."""
