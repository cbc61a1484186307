"""Numbers as experiments hand them over, made up to reach every sentence; and what a sentence says of numbers."""

from __future__ import annotations

import re

LAGS = ("1", "2", "5", "10", "20", "30", "40", "50", "60")


def numbers_in(text, language):
    """Every number of a text, in order and in English."""
    text = re.sub(r"(\d\d)/(\d\d)/(\d{4})", r"\3-\2-\1", text)
    matches = re.findall(r"\d[\d.,]*\d|\d", text)
    return [one.translate(str.maketrans(",.", ".,")) if language.code != "en" else one for one in matches]


def gradients(rnn=1e-20, lstm=1e-18, opened=0.8, trained=1e-9):
    left = {"rnn": rnn, "gru": 1e-15, "lstm": lstm, "lstm bias 1": 1e-6, "lstm bias 2": opened, "trained": trained}
    if trained is None:
        del left["trained"]
    norms = {name: [1.0] + [value ** ((lag - 1) / 99) for lag in range(1, 101)] for name, value in left.items()}
    factor = {name: value ** (1 / 99) for name, value in left.items()}
    return {"norms": norms, "left": left, "factor": factor, "guide": {"factor": 0.8, "after_100": 0.8**100}}


def recalls(rnn=5, gru=60, lstm=60, seeds=3, blurred=0.01):
    """Each cell recalls up to a lag and nothing beyond, or, `blurred`, in part."""
    reach = {"rnn": rnn, "gru": gru, "lstm": lstm}
    return {
        "steps": 1000,
        "tried": [1e-2, 3e-3],
        "seeds": seeds,
        **{
            kind: {
                name: [{lag: 0.99 if int(lag) <= far else blurred * seed for lag in LAGS} for seed in range(seeds)]
                for name, far in reach.items()
            }
            for kind in ("recalled", "correlations")
        },
        "rates": {},
        "lstm_kept_50": [{"mean": 0.1, "best": 0.95}] * seeds,
    }


def kepts(trained=(1e-12, 1e-11), recall_best=0.99):
    def cell(left, best=None):
        return {"gate": 0.5, "kept": [left ** (lag / 50) for lag in range(1, 51)], "best": best or left, "half_life": 1}

    cells = {f"bias {bias}": cell(10.0 ** (bias - 4)) | {"by_hand": 1e-3} for bias in (0, 1, 2)}
    cells |= {f"trained layer {layer}": cell(left) for layer, left in enumerate(trained, start=1)}
    return {"days": 50, "windows": 64, "cells": cells | {"recall": cell(0.05, recall_best)}}


def tests_of(state):
    """A comparison in which the LSTM stands so."""
    nan = float("nan")
    made = {
        "better": (0.97, 0.96, 0.98, 0.001, 1.0),
        "worse": (1.03, 1.02, 1.04, 0.001, 0.0),
        "equal": (1.001, 0.99, 1.01, 0.6, 0.5),
        "tiny": (0.9999, 0.9998, 0.99995, 0.001, 1.0),
        "unknown": (0.97, nan, nan, 0.2, 1.0),
    }
    return dict(zip(("ratio", "low", "high", "p_value", "seeds_better"), made[state], strict=True))


def priced(rnn="equal", gru="equal", ewma="equal", seeds=3):
    def run(name, seed):
        return {
            "pinball_to_ewma": 0.99 + 0.001 * seed + 0.002 * len(name),
            "rel_mae": 1.0011,
            "coverage": {"80": 0.801, "95": 0.947},
        }

    scores = {name: [run(name, seed) for seed in range(seeds)] for name in ("rnn", "gru", "lstm")}
    return {
        "series": 12, "from": "2007-10-02", "cases": 3456, "seeds": seeds, "dates": 288,
        "settings": {"epochs": 4}, "scores": scores | {"ewma": [run("ewma", 0)]},
        "lstm_against": {"rnn": tests_of(rnn), "gru": tests_of(gru), "ewma": tests_of(ewma)},
    }  # fmt: skip


def lives(equal=16, worst=0.05, after_all=3e-6):
    days = (1, 10, 60)
    off = (worst, worst / 10, after_all)
    return {
        "first": "PETR4", "second": "VALE3", "orders": 16, "equal": equal, "pair_equal": equal == 16,
        "price_alone": 42.5, "price_after": 42.5, "together_relative": 1e-8,
        "strayed": [{"days": day, "worst": far, "median": far / 10} for day, far in zip(days, off, strict=True)],
    }  # fmt: skip


def parameter_counts(lstm=4):
    counted = {"rnn": 1000, "gru": 3000, "lstm": lstm * 1000}
    formula = {"rnn": 1000, "gru": 3000, "lstm": 4000}
    return {"sizes": [{"hidden": 50, "layers": 2, "counted": counted, "formula": formula}], "whole": counted}
