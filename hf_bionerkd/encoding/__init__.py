"""Words to model input and back: sub-word windows, tag pairs, vocabularies."""
