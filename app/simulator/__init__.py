"""An Azure OpenAI to stand in for the real one: the same URLs, bodies, streams and refusals."""
