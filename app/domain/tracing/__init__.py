"""A request in traces: which are recorded, and the spans that are made of a receipt."""
