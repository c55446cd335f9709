"""Azure AI Content Safety, asked about prompts."""
