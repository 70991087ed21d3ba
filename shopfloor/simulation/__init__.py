"""Simulated shoppers who use the real service, and what the improvement loop makes of what they say."""
