"""Configurations, Trainers and the runs made of them."""
