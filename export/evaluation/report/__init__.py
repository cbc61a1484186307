"""Report of an evaluation and model card: pictures, tables, pages."""
