"""Fits a model: batches, negatives, losses and the training loop."""
