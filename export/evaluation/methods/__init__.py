"""The forecasting methods that an evaluation compares: baselines, an exported model, a refitted network."""
