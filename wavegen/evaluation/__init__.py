"""Runs a trained voice over test utterances; tables, figures, the listening report."""
