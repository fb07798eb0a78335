"""Model code without imports from the rest of the package: its files travel to the Hub with custom models."""
