"""B3, the Brazilian exchange: COTAHIST files and corporate actions."""
