"""Data quality checks of a price table."""
