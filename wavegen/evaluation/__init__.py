"""Evaluates trained models on test data."""
