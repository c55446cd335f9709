"""HTTP in and out: the data plane as a raw ASGI application, the admin API, the servers."""
