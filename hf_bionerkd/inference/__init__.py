"""A trained model's answers: what its outputs mean, word by word, and how fast they come."""
