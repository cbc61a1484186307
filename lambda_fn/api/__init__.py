"""The HTTPS API: one event in, one response out."""
