"""Trainers and what they need; they take objects and know no YAML, no card and no Hub."""
