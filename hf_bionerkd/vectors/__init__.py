"""Word vectors: training, file formats, and the store that models read."""
