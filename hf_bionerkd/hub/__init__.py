"""Model cards: what a published model says of itself. Rendered offline."""
