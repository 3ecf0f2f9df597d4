"""Inference with trained or training models: importance sampling, flows in other people's programs."""
