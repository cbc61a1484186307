"""The HTTPS API, one event in, one response out: handler → event → request body → forecast response → response."""
