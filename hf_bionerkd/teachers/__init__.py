"""Teachers: their outputs, kept in caches, and their aggregation into one target."""
