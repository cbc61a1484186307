"""CodeDeploy's two lifecycle hooks, as Lambda functions: before traffic reaches a new version of the API, and after."""
