"""Runs: one YAML file each, from its configuration to a published folder."""
