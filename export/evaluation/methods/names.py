"""What each method of an evaluation is called."""

LABELS = {  # in the order of the tables
    "efemera": "Efemera",
    "naive": "Naive",
    "drift": "Drift",
    "constant": "Constant quantiles",
    "ewma": "EWMA",
    "garch": "GARCH-t",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
}
