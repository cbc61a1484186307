"""Laboratory: the study guide's claims about RNN, GRU and LSTM as experiments."""
