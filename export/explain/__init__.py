"""Show the explanation of one forecast: as a figure of panels, on the terminal, as a table."""
