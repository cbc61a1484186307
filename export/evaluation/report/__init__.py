"""The evaluation's report and the model card: plots, tables, page."""
