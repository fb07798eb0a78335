"""Loss terms on plain tensors: each returns a sum and a count, and says what it is."""
