"""Daily closes from Yahoo Finance, fetched and kept up to date."""
