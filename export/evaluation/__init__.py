"""Evaluation: every method on the same cases, in folds that never look ahead; scores, verdict and promotion."""
