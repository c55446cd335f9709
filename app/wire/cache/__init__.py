"""What the cache reads and writes: questions, directives, and answers as bodies and streams."""
