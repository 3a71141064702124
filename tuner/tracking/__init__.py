"""Every run and artifact to MLflow, off the training path: the only package that imports mlflow."""
