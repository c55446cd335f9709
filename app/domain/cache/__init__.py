"""Answers that are kept: what they are, who may have them, and when one stands for another."""
