"""Drawing and printing the explanation of one forecast."""
