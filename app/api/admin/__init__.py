"""The admin plane: health, and the admin API under `/admin/v1`, on a listener of its own."""
