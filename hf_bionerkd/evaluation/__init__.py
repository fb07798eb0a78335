"""Scores and the tables made of them. Importing this room loads no torch, but for :mod:`.metric`."""
