"""Deterministic rules. No model is called in here, and nothing of Primum's is imported."""
