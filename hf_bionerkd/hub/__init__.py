"""The Hugging Face Hub: cards, pushes, revisions, and clear words when it says no. Loads no torch."""
