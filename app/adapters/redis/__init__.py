"""Redis, the only stateful dependency: how it is reached, run for one machine, and used."""
