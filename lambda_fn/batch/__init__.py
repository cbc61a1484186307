"""The batch run: plan, forecast, finish, as three Lambda functions or on one machine."""
