"""Workers of one machine: processes that serve, looked after by the one that started them."""
