"""The laboratory: what the study guide says of RNN, GRU and LSTM, measured."""
