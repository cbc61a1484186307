"""How good forecasts are: the same cases for every method, in folds that never look ahead."""
