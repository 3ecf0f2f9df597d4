"""What ``wavegen benchmark`` measures, and how it is told."""
