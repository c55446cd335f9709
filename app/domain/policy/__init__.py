"""What a tenant may ask for, whatever its quota: rules over one request, and what they find."""
