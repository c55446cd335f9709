"""Spillgate: an OpenAI-compatible gateway that fills provisioned Azure OpenAI capacity first."""
